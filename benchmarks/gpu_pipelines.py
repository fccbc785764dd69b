"""Large models at their true shapes with random weights: plain diffusers, ``exact`` and ``fast``.

The time of a step does not depend on the weights' values, so none are downloaded: every model is
built on the device from its configuration. Prompts come encoded. On one GPU::

    uv run python benchmarks/gpu_pipelines.py --models wan2.1-t2v-1.3b wan2.1-t2v-14b --steps 50

Anywhere, with tiny shapes, to see that it runs: ``--tiny --steps 12``.

Writes ``benchmarks/results/gpu_pipelines.json``: seconds of denoising and decoding, the peak of the
memory, and the arithmetic a second beside what the card reaches in one large matrix product. With
random weights the cache of ``fast`` leaves out what these weights make of it and not what trained
ones do; the share is written beside the seconds.
"""

from __future__ import annotations

import argparse
import inspect
import math
import statistics
import time
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass, field
from typing import Any

import diffusers
import report
import torch

from tiomagic_local.engines._wan import FromTheFirstStep
from tiomagic_local.speed.applying import Accelerator
from tiomagic_local.speed.work import work_of

MODES: Mapping[str, object] = {"plain": None, "exact": "exact", "fast": "fast"}
TINY = {"num_layers": 2, "num_attention_heads": 2}
TINY_VAE = {"base_dim": 8, "dim_mult": [1, 1, 1, 1], "num_res_blocks": 1}


@dataclass(frozen=True)
class Model:
    """A pipeline's classes, and what its configuration has beside their defaults."""

    pipeline: str
    transformer: str
    vae: str
    shape: Mapping[str, Any] = field(default_factory=dict)
    vae_shape: Mapping[str, Any] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the pipeline itself."""
    sizes: tuple[tuple[int, int, int], ...] = ((832, 480, 81), (1280, 720, 81))
    """Width, height, frames."""
    words: int = 512
    """Tokens of an encoded prompt."""
    masked: bool = False
    fp32_vae: bool = True
    tiny: Mapping[str, Any] = field(default_factory=lambda: TINY | {"ffn_dim": 64})
    tiny_size: tuple[int, int, int] = (64, 32, 9)


SMALL = {"num_attention_heads": 12, "ffn_dim": 8960, "num_layers": 30}
WIDE_VAE = {
    "base_dim": 160,
    "decoder_base_dim": 256,
    "z_dim": 48,
    "is_residual": True,
    "in_channels": 12,
    "out_channels": 12,
    "patch_size": 2,
    "scale_factor_spatial": 16,
    "latents_mean": [0.0] * 48,
    "latents_std": [1.0] * 48,
}
T2V = ("WanPipeline", "WanTransformer3DModel", "AutoencoderKLWan")
VACE = ("WanVACEPipeline", "WanVACETransformer3DModel", "AutoencoderKLWan")
MODELS: Mapping[str, Model] = {
    "wan2.1-t2v-1.3b": Model(*T2V, SMALL),
    "wan2.1-t2v-14b": Model(*T2V),
    "wan2.1-vace-14b": Model(*VACE, tiny=TINY | {"ffn_dim": 64, "vace_layers": [0]}),
    "wan2.2-ti2v-5b": Model(
        *T2V,
        shape={
            "num_attention_heads": 24,
            "ffn_dim": 14336,
            "num_layers": 30,
            "in_channels": 48,
            "out_channels": 48,
        },
        vae_shape=WIDE_VAE,
        settings={"expand_timesteps": True},
        sizes=((832, 480, 121), (1280, 704, 121)),
    ),
    "ltx-video": Model(
        "LTXPipeline",
        "LTXVideoTransformer3DModel",
        "AutoencoderKLLTXVideo",
        sizes=((704, 512, 161), (1280, 704, 161)),
        words=256,
        masked=True,
        fp32_vae=False,
        tiny=TINY | {"cross_attention_dim": 128},
    ),
    "cogvideox-5b": Model(
        "CogVideoXPipeline",
        "CogVideoXTransformer3DModel",
        "AutoencoderKLCogVideoX",
        shape={
            "num_attention_heads": 48,
            "num_layers": 42,
            "use_rotary_positional_embeddings": True,
        },
        vae_shape={
            "down_block_types": ("CogVideoXDownBlock3D",) * 4,
            "up_block_types": ("CogVideoXUpBlock3D",) * 4,
            "block_out_channels": (128, 256, 256, 512),
            "latent_channels": 16,
            "layers_per_block": 3,
        },
        sizes=((720, 480, 49),),
        words=226,
        fp32_vae=False,
        tiny=TINY,
    ),
}


def build(model: Model, device: torch.device, dtype: torch.dtype, *, tiny: bool) -> Any:
    """Return the pipeline with random weights on the device, without encoders."""
    shape = {**model.shape, **(model.tiny if tiny else {})}
    vae_shape = dict(model.vae_shape)
    if tiny and model.vae == "AutoencoderKLWan" and not vae_shape:
        vae_shape = TINY_VAE
    vae_type = torch.float32 if model.fp32_vae else dtype
    transformer = _random(model.transformer, shape, device, dtype)
    vae = _random(model.vae, vae_shape, device, vae_type)
    kind = getattr(diffusers, model.pipeline)
    given = {
        "transformer": transformer,
        "vae": vae,
        "scheduler": _scheduler(model),
        **model.settings,
    }
    named = inspect.signature(kind.__init__).parameters
    missing = {n: None for n in ("tokenizer", "text_encoder", "transformer_2") if n in named}
    pipeline = kind(**{**missing, **given})
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def _random(name: str, shape: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> Any:
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with device:
            module = getattr(diffusers, name)(**shape).eval()
    finally:
        torch.set_default_dtype(before)
    # What the library keeps in fp32 when it loads weights.
    for part, child in module.named_modules():
        if part.rpartition(".")[2] in (module._keep_in_fp32_modules or ()):  # noqa: SLF001
            child.float()
    return module


def _scheduler(model: Model) -> Any:
    if model.pipeline.startswith("Wan"):
        return FromTheFirstStep(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        )
    if model.pipeline.startswith("CogVideoX"):
        return diffusers.CogVideoXDDIMScheduler()
    return diffusers.FlowMatchEulerDiscreteScheduler()


class Run:
    """One call of a pipeline, with the moments of its steps.

    Args:
        pipeline: Built.
        model: What it is.
        settings: Size, length, steps and guidance.
    """

    def __init__(self, pipeline: Any, model: Model, settings: Mapping[str, Any]) -> None:
        self._pipeline, self._model, self._settings = pipeline, model, settings
        self._moments: list[float] = []
        self._device = next(pipeline.transformer.parameters()).device

    def __call__(self) -> dict[str, Any]:
        """Return the seconds of each phase and the peak of the memory."""
        cuda = self._device.type == "cuda"
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        self._moments = []
        # Where the first step begins is where the pipeline first calls its transformer.
        hook = self._pipeline.transformer.register_forward_pre_hook(self._begin)
        try:
            self._pipeline(**self._arguments())
        finally:
            hook.remove()
        self._mark()
        first, *steps, end = self._moments
        each = [after - before for before, after in zip([first, *steps], steps, strict=False)]
        return {
            "denoise_s": round(steps[-1] - first, 3),
            "step_s_median": round(statistics.median(each), 4),
            "decode_s": round(end - steps[-1], 3),
            "peak_gib": round(torch.cuda.max_memory_allocated() / 2**30, 2) if cuda else None,
        }

    def _arguments(self) -> dict[str, Any]:
        dtype = next(self._pipeline.transformer.parameters()).dtype
        width = getattr(self._pipeline.transformer.config, "text_dim", 4096)
        generator = torch.Generator("cpu").manual_seed(0)
        words = torch.randn(1, self._model.words, width, generator=generator)
        words = words.to(self._device, dtype)
        arguments = {"prompt_embeds": words, "negative_prompt_embeds": words * 0.5}
        if self._model.masked:
            mask = torch.ones(1, self._model.words, device=self._device)
            arguments |= {"prompt_attention_mask": mask, "negative_prompt_attention_mask": mask}
        return {
            **arguments,
            **self._settings,
            "generator": generator,
            "output_type": "pt",
            "callback_on_step_end": self._end,
        }

    def _begin(self, *_call: Any) -> None:
        if not self._moments:
            self._mark()

    def _end(self, _pipeline: Any, _index: int, _step: Any, tensors: dict[str, Any]) -> Any:
        self._mark()
        return tensors

    def _mark(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self._moments.append(time.perf_counter())


def matrix_peak(device: torch.device, dtype: torch.dtype, side: int) -> float:
    """Return the operations a second of a square matrix product, the best of ten."""
    left, right = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(2))
    best = math.inf
    for _ in range(10):
        if device.type == "cuda":
            torch.cuda.synchronize()
        start = time.perf_counter()
        left @ right
        if device.type == "cuda":
            torch.cuda.synchronize()
        best = min(best, time.perf_counter() - start)
    return 2 * side**3 / best


def measure(
    name: str, model: Model, size: tuple[int, int, int], given: argparse.Namespace, peak: float
) -> dict[str, Any]:
    """Return every mode of one model at one size."""
    device, dtype = torch.device(given.device), getattr(torch, given.dtype)
    pipeline = build(model, device, dtype, tiny=given.tiny)
    width, height, frames = size
    settings = {
        "width": width,
        "height": height,
        "num_frames": frames,
        "num_inference_steps": given.steps,
        "guidance_scale": 5.0,
    }
    work = work_of(pipeline, settings)
    accelerator = Accelerator(pipeline, device=device, dtype=dtype, masked=model.masked)
    row: dict[str, Any] = {"model": name, "settings": settings, "modes": {}}
    if work is not None:
        row["work"] = {"tokens": work.tokens, "passes": work.passes, "flop": work.flop}
    for mode, word in MODES.items():
        wanted = {**settings, "acceleration": word}
        on = nullcontext() if word is None else accelerator.on(wanted, adapted=False)
        with on as running:
            run = Run(pipeline, model, settings)
            # The first run compiles and warms up; what it took is told beside the others.
            rounds = [run() for _ in range(given.rounds + 1)]
        best = min(rounds[1:], key=lambda one: one["denoise_s"])
        found = {"first": rounds[0], "best": best, "rounds": rounds[1:]}
        if running is not None:
            found["ran"] = running.facts()
        if work is not None:
            rate = work.flop / best["denoise_s"]
            found |= {"tflop_a_second": rate / 1e12, "share_of_peak": rate / peak}
        row["modes"][mode] = found
        print(name, size, mode, best, flush=True)
    return row


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--steps", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--sizes", type=int, default=1, help="of each model's sizes, how many")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16" if torch.cuda.is_available() else "float32")
    given = parser.parse_args()
    device = torch.device(given.device)
    peak = matrix_peak(device, getattr(torch, given.dtype), 512 if given.tiny else 8192)
    rows = []
    for name in given.models:
        model = MODELS[name]
        sizes = (model.tiny_size,) if given.tiny else model.sizes[: given.sizes]
        rows += [measure(name, model, size, given, peak) for size in sizes]
    name = "gpu_pipelines_tiny" if given.tiny else "gpu_pipelines"
    result = {"what": __doc__, "matrix_peak_tflop_a_second": peak / 1e12, "rows": rows}
    print(report.write(name, {**result, "tiny": given.tiny, "dtype": given.dtype}))


if __name__ == "__main__":
    main()
