"""Single things of a card, for the benchmark of the pipelines: what limits a step, what fills it.

Each is measured alone: a large matrix product, a copy, the attention's kernels, the ways to decode,
and the kernels of a step by their kind. The first three by themselves, into ``gpu_card.json``::

    uv run python benchmarks/gpu_probes.py
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import report
import torch
from diffusers.models.attention_dispatch import attention_backend, dispatch_attention_fn

KINDS = {
    "attention": ("flash", "fmha", "sdpa", "attention"),
    "convolution": ("conv", "fprop", "implicit"),
    "matrix product": ("gemm", "nvjet", "cutlass", "cublas", "wgmma", "addmm"),
    "compiled": ("triton",),
    "copy": ("memcpy", "memset", "copy", "catarray"),
}
"""Parts of a kernel's name, and what it does; the first fits. The rest are element by element."""
ATTENTION = (
    *("native", "_native_cudnn", "_native_flash", "_native_efficient"),
    *("flash", "_flash_3", "_flash_3_hub", "flash_4_hub", "sage", "sage_hub"),
)
"""Backends of diffusers; the last ones need packages, or a download from the hub."""
ROUNDS = 5
SIZES = ((448, 256, 81), (832, 480, 41))
"""Width, height and frames of decodings whose memory is told."""


def measure_seconds(action: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Return the median seconds of an action, after one that warms up."""
    times = []
    for _ in range(rounds + 1):
        _wait()
        start = time.perf_counter()
        action()
        _wait()
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[rounds // 2]


def _wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


@torch.no_grad()
def probe_device(device: torch.device, dtype: torch.dtype, *, tiny: bool) -> dict[str, Any]:
    """Return what the device does at best, and what the attention's kernels make of it."""
    found: dict[str, Any] = {
        "matrix_tflop_a_second": _matrix(512 if tiny else 8192, device, dtype),
        "copy_gb_a_second": _copy(2**20 if tiny else 2**30, device),
    }
    shape = (1, 256, 2, 64) if tiny else (1, 32760, 40, 128)
    found["attention"] = {"shape": shape, "kernels": _attention(shape, device, dtype)}
    return found


def _matrix(side: int, device: torch.device, dtype: torch.dtype) -> float:
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    return 2 * side**3 / measure_seconds(lambda: left @ right, 9) / 1e12


def _copy(size: int, device: torch.device) -> float:
    """Return what is read and written in a second."""
    large = torch.ones(size, device=device, dtype=torch.int16)
    other = torch.empty_like(large)
    return 2 * large.nbytes / measure_seconds(lambda: other.copy_(large)) / 1e9


def _attention(
    shape: tuple[int, ...], device: torch.device, dtype: torch.dtype
) -> dict[str, object]:
    """Return the seconds of each backend, or why it does not work; the shape is that of 14B."""
    query, key, value = (torch.randn(shape, device=device, dtype=dtype) for _ in range(3))
    batch, tokens, heads, channels = shape
    flop = 4 * batch * heads * channels * tokens**2
    found: dict[str, object] = {}
    for name in ATTENTION:
        try:
            with attention_backend(name):
                took = measure_seconds(lambda: dispatch_attention_fn(query, key, value), 3)
            found[name] = {"s": took, "tflop_a_second": flop / took / 1e12}
        # Not every kernel is there on every card; why is the result.
        except Exception as error:  # noqa: BLE001
            found[name] = f"{type(error).__name__}: {error}"[:200]
    return found


@torch.no_grad()
def measure_decoding(pipeline: Any, settings: Mapping[str, Any]) -> float:
    """Return the seconds of decoding random latents of a video's size."""
    latents = _latents(pipeline, settings)
    _wait()
    start = time.perf_counter()
    pipeline.vae.decode(latents, return_dict=False)
    _wait()
    return round(time.perf_counter() - start, 3)


def _latents(pipeline: Any, settings: Mapping[str, Any]) -> torch.Tensor:
    vae = pipeline.vae
    ratios = ("vae_scale_factor_spatial", "vae_spatial_compression_ratio")
    spatial = next(value for name in ratios if (value := getattr(pipeline, name, None)))
    ratios = ("vae_scale_factor_temporal", "vae_temporal_compression_ratio")
    temporal = next(value for name in ratios if (value := getattr(pipeline, name, None)))
    config = vae.config
    channels = config.get("z_dim") or config.latent_channels
    shape = (
        *(1, channels, (settings["num_frames"] - 1) // temporal + 1),
        *(settings["height"] // spatial, settings["width"] // spatial),
    )
    weight = next(vae.parameters())
    generator = torch.Generator("cpu").manual_seed(1)
    return torch.randn(shape, generator=generator).to(weight.device, weight.dtype)


def measure_decoding_peak(pipeline: Any, size: tuple[int, int, int]) -> dict[str, Any]:
    """Return the GiB that decoding takes beside what lies on the device already."""
    width, height, frames = size
    settings = {"width": width, "height": height, "num_frames": frames}
    found: dict[str, Any] = {**settings, "s": None, "gib": 0.0}
    if not torch.cuda.is_available():
        return {**found, "s": measure_decoding(pipeline, settings)}
    _free()
    before = torch.cuda.memory_allocated()
    torch.cuda.reset_peak_memory_stats()
    found["s"] = measure_decoding(pipeline, settings)
    found["gib"] = round((torch.cuda.max_memory_allocated() - before) / 2**30, 2)
    return found


def compare_decodings(
    pipeline: Any, settings: Mapping[str, Any], ways: list[str]
) -> dict[str, Any]:
    """Return the seconds of ways to decode, and how far each is from the first one."""
    latents, vae = _latents(pipeline, settings), pipeline.vae
    plain, found = None, {}
    for name in ways:
        with torch.no_grad(), DECODING_VARIANTS[name](vae):
            dtype = next(vae.parameters()).dtype
            first = _timed(lambda d=dtype: vae.decode(latents.to(d), return_dict=False)[0])
            _free()
            again = _timed(lambda d=dtype: vae.decode(latents.to(d), return_dict=False)[0])
        video, entry = again[1], {"first_s": first[0], "s": again[0]}
        if torch.cuda.is_available():
            entry["peak_gib"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
        plain = video if plain is None else plain
        entry["largest_difference"] = float((video.float() - plain.float()).abs().max())
        found[name] = entry
        del video, first, again
        _free()
    return found


def _timed(action: Callable[[], Any]) -> tuple[float, Any]:
    if torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats()
    _wait()
    start = time.perf_counter()
    result = action()
    _wait()
    return round(time.perf_counter() - start, 3), result


def _free() -> None:
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


@contextlib.contextmanager
def _channels_last(vae: Any) -> Iterator[None]:
    _lay(vae, torch.channels_last_3d, torch.channels_last)
    try:
        yield
    finally:
        _lay(vae, torch.contiguous_format, torch.contiguous_format)


def _lay(vae: Any, volume: torch.memory_format, plane: torch.memory_format) -> None:
    for tensor in vae.parameters():
        if tensor.dim() in {4, 5}:
            tensor.data = tensor.data.contiguous(
                memory_format=volume if tensor.dim() == 5 else plane
            )


@contextlib.contextmanager
def _norms_compiled(vae: Any) -> Iterator[None]:
    norms = [module for module in vae.modules() if type(module).__name__ == "WanRMS_norm"]
    for norm in norms:
        norm.forward = torch.compile(norm.forward, dynamic=True)
    try:
        with torch._dynamo.config.patch(recompile_limit=64):  # noqa: SLF001 - its public name.
            yield
    finally:
        for norm in norms:
            del norm.forward


@contextlib.contextmanager
def _both(vae: Any) -> Iterator[None]:
    with _channels_last(vae), _norms_compiled(vae):
        yield


@contextlib.contextmanager
def _half(vae: Any) -> Iterator[None]:
    before = next(vae.parameters()).dtype
    with _channels_last(vae):
        vae.to(torch.bfloat16)
        try:
            yield
        finally:
            vae.to(before)


@contextlib.contextmanager
def _tiled(vae: Any) -> Iterator[None]:
    vae.enable_tiling()
    try:
        yield
    finally:
        vae.disable_tiling()


@contextlib.contextmanager
def _without_tf32(_vae: Any) -> Iterator[None]:
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


DECODING_VARIANTS: Mapping[str, Callable[[Any], contextlib.AbstractContextManager[None]]] = {
    "plain": contextlib.nullcontext,
    "channels last": _channels_last,
    "channels last, norms compiled": _both,
    "without TF32": _without_tf32,
    "tiles": _tiled,
    # The last one: what is rounded stays rounded.
    "bf16, channels last (not exact)": _half,
}


def profile_kernels(action: Callable[[], Any], most: int = 20) -> dict[str, Any]:
    """Return where the time of an action goes on the device: by kind, and the longest kernels."""
    from torch.profiler import ProfilerActivity, profile

    on = [ProfilerActivity.CPU]
    if torch.cuda.is_available():
        on = [ProfilerActivity.CUDA]
    _wait()
    start = time.perf_counter()
    with profile(activities=on) as prof:
        action()
        _wait()
    wall = time.perf_counter() - start
    events = [(event.key, _microseconds(event), event.count) for event in prof.key_averages()]
    events = sorted((one for one in events if one[1] > 0), key=lambda one: -one[1])
    total = sum(took for _key, took, _count in events)
    kinds: dict[str, float] = {}
    for key, took, _count in events:
        kinds[_kind(key)] = kinds.get(_kind(key), 0.0) + took / total
    return {
        "wall_s": round(wall, 4),
        "kernels_s": round(total / 1e6, 4),
        "shares": {kind: round(share, 4) for kind, share in kinds.items()},
        "longest": [
            {"kernel": key[:120], "share": round(took / total, 4), "calls": count}
            for key, took, count in events[:most]
        ],
    }


def _microseconds(event: Any) -> float:
    if torch.cuda.is_available():
        return float(event.self_device_time_total)
    return float(event.self_cpu_time_total)


def _kind(kernel: str) -> str:
    name = kernel.lower()
    for kind, words in KINDS.items():
        if any(word in name for word in words):
            return kind
    return "element by element"


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure the card and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args(arguments)
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    dtype = torch.bfloat16 if cuda else torch.float32
    card = probe_device(device, dtype, tiny=given.tiny)
    result = {"what": __doc__, "tiny": given.tiny, "card": card}
    print(report.write("gpu_card", result, folder=given.out))


if __name__ == "__main__":
    main()
