"""Large models at their true shapes with random weights: plain diffusers and tiomagic's words.

Prompts come encoded, and each model is built on the device from its configuration. On one GPU::

    uv run python benchmarks/gpu_pipelines.py --models wan2.1-t2v-1.3b wan2.1-t2v-14b --steps 50

Anywhere, with tiny shapes, to see that it runs: ``--tiny --steps 3``; a CPU does not compile then.

Writes ``gpu_pipelines.json`` after each run, so that nothing is lost when the time is out. All
steps of a run are alike, so a few are timed (``--steps``) and ``seconds_of_50_steps`` is fifty
times the median of them; the first step, which warms up and compiles, is told beside it. Distances
to plain diffusers are those of the latents after the same number of steps.

==========  =====================================================================================
mode        what runs
==========  =====================================================================================
``plain``   diffusers as its documentation shows it: bf16, the VAE in fp32 where it says so
``flash2``  that with FlashAttention 2, which torch takes where it has no better one
``exact``   the same with what ``acceleration="exact"`` brings to a run of 50 steps
``fast``    that, and the cache with a threshold that leaves out all it can. What it leaves out of
            random weights means nothing; what a step costs that is left out does
``fp8``     ``exact`` with products in eight bits
``turbo``   a LoRA of rank 64 on each layer that those of LightX2V change, and no guidance;
            ``turbo compiled`` is the same with compiled blocks
==========  =====================================================================================
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import gpu_probes
import report
import torch
from gpu_models import MODELS, Model, build, make_inputs
from torch._dynamo.utils import counters

from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import GenerationError
from tiomagic_local.acceleration.apply import Accelerator, ActiveAcceleration
from tiomagic_local.acceleration.attention import use_backend
from tiomagic_local.acceleration.flops import estimate_flop
from tiomagic_local.acceleration.step_caches.activate import MIN_STEPS
from tiomagic_local.memory.demand import demand_of

MODES: Mapping[str, Mapping[str, object] | str | None] = {
    "plain": None,
    "flash2": "_native_flash",
    "exact": {"compile": "on"},
    "fast": {"compile": "on", "cache_threshold": 1.0},
    "fp8": {"compile": "on", "fp8": True},
    "turbo": {"compile": "off"},
    "turbo compiled": {"compile": "on"},
}
FULL_STEPS = 50
"""Steps of the run that the budget speaks of."""
TURBO_STEPS = 4
LORA_LAYERS = ["to_q", "to_k", "to_v", "to_out.0", "net.0.proj", "net.2"]


class OutOfTimeError(Exception):
    """The seconds of the benchmark are over."""


class Run:
    """One call of a pipeline, with the moments of its steps.

    Args:
        pipeline: Built.
        model: What it is.
        settings: Size, length, steps and guidance.
        until: When to stop, as ``time.monotonic`` says it.
        device: Where it runs; that of the weights if left out.
    """

    def __init__(
        self,
        pipeline: Any,
        model: Model,
        settings: Mapping[str, Any],
        until: float,
        device: torch.device | None = None,
    ) -> None:
        self._pipeline, self._model, self._settings = pipeline, model, settings
        self._until = until
        self._moments: list[float] = []
        self._device = device or next(pipeline.transformer.parameters()).device
        self._peaks: list[float] = []
        self.latents: torch.Tensor | None = None

    def __call__(self) -> dict[str, Any]:
        """Return the seconds of each phase and the peaks of the memory."""
        before = self._allocated()
        self._peak()
        # Where the first step begins is where the pipeline first calls its transformer.
        hook = self._pipeline.transformer.register_forward_pre_hook(self._begin)
        try:
            self._pipeline(**self._arguments())
        finally:
            hook.remove()
        self._mark()
        denoising, decoding = self._peaks[-1], self._peak()
        begin, *steps, end = self._moments
        each = [after - first for first, after in zip([begin, *steps], steps, strict=False)]
        later = each[1:] or each
        return {
            "steps": len(each),
            "first_step_s": round(each[0], 3),
            "step_s_median": round(statistics.median(later), 4),
            "step_s_least": round(min(later), 4),
            "step_s_most": round(max(later), 4),
            "decode_s": round(end - steps[-1], 3),
            "weights_gib": before,
            "peak_denoising_gib": denoising,
            "peak_decoding_gib": decoding,
        }

    def _arguments(self) -> dict[str, Any]:
        generator = torch.Generator("cpu").manual_seed(0)
        return {
            **make_inputs(self._pipeline, self._model, generator, self._device),
            "output_type": "pt",
            **self._settings,
            "generator": generator,
            "callback_on_step_end": self._end,
        }

    def _begin(self, *_call: Any) -> None:
        if not self._moments:
            self._mark()

    def _end(self, _pipeline: Any, index: int, _step: Any, tensors: dict[str, Any]) -> Any:
        self._mark()
        if time.monotonic() > self._until:
            raise OutOfTimeError
        if index + 1 == self._settings["num_inference_steps"]:
            self.latents = tensors["latents"].detach().float().cpu()
            self._peaks.append(self._peak())
        return tensors

    def _mark(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.synchronize()
        self._moments.append(time.perf_counter())

    def _allocated(self) -> float:
        return _gib(torch.cuda.memory_allocated() if self._device.type == "cuda" else 0)

    def _peak(self) -> float:
        """Return the peak since the last call."""
        if self._device.type != "cuda":
            return 0.0
        peak = torch.cuda.max_memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        return _gib(peak)


class Bench:
    """Measures one model at one size.

    Args:
        name: Of the model.
        size: Width, height and frames.
        given: The command line.
        peak: Operations a second of a large matrix product.
    """

    def __init__(
        self, name: str, size: tuple[int, int, int], given: argparse.Namespace, peak: float
    ) -> None:
        self._model, self._given, self._peak = MODELS[name], given, peak
        self._device, self._dtype = torch.device(given.device), getattr(torch, given.dtype)
        self._pipeline = build(self._model, self._device, self._dtype, tiny=given.tiny)
        width, height, frames = size
        self._settings = {
            "width": width,
            "height": height,
            "num_frames": frames,
            "num_inference_steps": given.steps,
            "guidance_scale": 5.0,
        }
        self._plain: torch.Tensor | None = None
        self.row: dict[str, Any] = {"model": name, "settings": self._settings, "modes": {}}
        work = estimate_flop(self._pipeline, {**self._settings, "num_inference_steps": FULL_STEPS})
        self._flop = None if work is None else work.flop / FULL_STEPS
        if work is not None:
            self.row["work"] = {"tokens": work.tokens, "flop_a_step": work.flop / FULL_STEPS}
        weights = sum(
            tensor.nbytes
            for part in (self._pipeline.transformer, self._pipeline.vae)
            for tensor in part.parameters()
        )
        # Plain diffusers lays no weights channels last, which takes somewhat more.
        demand = demand_of(models()[name], self._settings)
        predicted = _gib(weights) + max(demand.activations().values())
        self.row["predicted_peak_gib"] = round(predicted, 2)

    def warm_up(self) -> None:
        """Decode once: the first convolutions of a process look for their kernels."""
        self.row["first_decode_s"] = gpu_probes.measure_decoding(self._pipeline, self._settings)

    def measure(self, mode: str, until: float) -> None:
        """Add one mode to the row."""
        settings = {**self._settings, "num_inference_steps": self._steps(mode)}
        turbo = mode.startswith("turbo")
        if turbo:
            settings["guidance_scale"] = 1.0
        on = self._on(mode, settings)
        counters.clear()
        run = Run(self._pipeline, self._model, settings, until)
        lora = _lora(self._pipeline.transformer, self._dtype) if turbo else None
        with lora or contextlib.nullcontext(), on as running:
            found = run()
        if isinstance(running, ActiveAcceleration):
            found["ran"] = running.facts()
            # A graph that breaks, or that is made again for each block, is time lost in silence.
            found["graphs"] = {
                "made": counters["stats"]["unique_graphs"],
                "breaks": sum(counters["graph_break"].values()),
                "frames": dict(counters["frames"]),
            }
        self._derive(mode, found, run.latents)
        self.row["modes"][mode] = found

    def profile(self, mode: str) -> None:
        """Add where the time of a step goes."""
        settings = {**self._settings, "num_inference_steps": 1, "output_type": "latent"}
        on = self._on(mode, settings)
        generator = torch.Generator("cpu").manual_seed(0)
        inputs = make_inputs(self._pipeline, self._model, generator, self._device)
        arguments = {**inputs, **settings}
        with on:
            found = gpu_probes.profile_kernels(
                lambda: self._pipeline(**arguments, generator=generator)
            )
        self.row.setdefault("profiles", {})[mode] = found

    def decodings(self) -> None:
        """Add what the ways to decode take."""
        self.row["decodings"] = gpu_probes.compare_decodings(
            self._pipeline, self._settings, self._given.decodings
        )

    def peaks(self) -> None:
        """Add what decoding needs beside the weights, at other sizes and lengths."""
        self.row["decoding_peaks"] = [
            gpu_probes.measure_decoding_peak(self._pipeline, size)
            for size in ((self._model.tiny_size,) if self._given.tiny else gpu_probes.SIZES)
        ]

    def _on(self, mode: str, settings: Mapping[str, Any]) -> Any:
        """Return what a mode has on; the plain ones come first, for some of it stays."""
        wanted = MODES[mode]
        if wanted is None:
            return contextlib.nullcontext()
        if isinstance(wanted, str):
            return use_backend(wanted)
        if self._given.tiny and self._device.type == "cpu":
            # Compiling for a CPU takes minutes, and a trial wants to see that the modes run.
            wanted = {**wanted, "compile": "off"}
        accelerator = Accelerator(
            self._pipeline, device=self._device, dtype=self._dtype, masked=self._model.masked
        )
        return accelerator.activate({**settings, "acceleration": wanted}, adapted=False)

    def _steps(self, mode: str) -> int:
        if mode.startswith("turbo"):
            return TURBO_STEPS
        return max(self._given.steps, MIN_STEPS) if mode == "fast" else int(self._given.steps)

    def _derive(self, mode: str, found: dict[str, Any], latents: torch.Tensor | None) -> None:
        steps = TURBO_STEPS if mode.startswith("turbo") else FULL_STEPS
        found[f"seconds_of_{steps}_steps"] = round(steps * found["step_s_median"], 2)
        if self._flop is not None and mode in {"plain", "flash2", "exact"}:
            rate = self._flop / found["step_s_median"]
            found |= {"tflop_a_second": rate / 1e12, "share_of_peak": rate / self._peak}
        if mode == "plain":
            self._plain = latents
        elif mode == "exact" and self._plain is not None and latents is not None:
            found["from_plain"] = _distance(latents, self._plain)


@contextlib.contextmanager
def _lora(transformer: Any, dtype: torch.dtype) -> Iterator[None]:
    """Have a LoRA with random values on a transformer for the time of the block."""
    from peft import LoraConfig

    config = LoraConfig(r=64, target_modules=LORA_LAYERS, init_lora_weights=False)
    transformer.add_adapter(config)
    for name, tensor in transformer.named_parameters():
        if "lora_" in name:
            tensor.data = tensor.data.to(dtype) * 1e-3
    try:
        yield
    finally:
        transformer.unload_lora()


def _distance(latents: torch.Tensor, reference: torch.Tensor) -> dict[str, float]:
    """Return how far latents are from others."""
    error = latents - reference
    span = float(reference.max() - reference.min())
    square = float((error**2).mean())
    return {
        "largest": float(error.abs().max()),
        "relative": float(error.norm() / reference.norm()),
        "psnr_db": math.inf if square == 0 else 10 * math.log10(span**2 / square),
    }


def _gib(size: int) -> float:
    return round(size / 2**30, 2)


def measure_all(given: argparse.Namespace, save: Any) -> None:
    """Measure each model; what the time is too short for is recorded as left out."""
    until = time.monotonic() + given.seconds
    rows: list[dict[str, Any]] = []
    for name in given.models:
        model = MODELS[name]
        for size in (model.tiny_size,) if given.tiny else model.sizes[: given.sizes]:
            if time.monotonic() > until:
                rows.append({"model": name, "left_out": "the time was over"})
                save(rows=rows)
                continue
            bench = Bench(name, size, given, given.peak)
            rows.append(bench.row)
            _measure(bench, given, until, lambda: save(rows=rows))
            del bench
            gc.collect()
            torch._dynamo.reset()  # noqa: SLF001 - its public name.
            if given.device == "cuda":
                torch.cuda.empty_cache()


def _measure(bench: Bench, given: argparse.Namespace, until: float, save: Any) -> None:
    bench.warm_up()
    for mode in given.modes:
        start = time.monotonic()
        try:
            bench.measure(mode, until)
        # One mode that fails is a result too, and the others are still wanted.
        except (OutOfTimeError, GenerationError, RuntimeError, ValueError) as error:
            bench.row["modes"][mode] = {"failed": f"{type(error).__name__}: {error}"[:500]}
        bench.row["modes"][mode]["took_s"] = round(time.monotonic() - start, 1)
        print(bench.row["model"], mode, json.dumps(bench.row["modes"][mode]), flush=True)
        save()
        if given.profile and mode in {"plain", "exact"} and time.monotonic() < until:
            bench.profile(mode)
            save()
    if given.peaks and time.monotonic() < until:
        bench.peaks()
        save()
    if given.decodings and time.monotonic() < until:
        bench.decodings()
        print(json.dumps(bench.row["decodings"]), flush=True)
        save()


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", nargs="+", choices=MODELS, default=list(MODELS))
    parser.add_argument("--modes", nargs="+", choices=MODES, default=["plain", "exact", "fast"])
    parser.add_argument("--steps", type=int, default=4, help="that are made and timed")
    parser.add_argument("--sizes", type=int, default=1, help="of each model's sizes, how many")
    parser.add_argument("--seconds", type=float, default=math.inf, help="after which it ends")
    parser.add_argument("--profile", action="store_true", help="say where a step's time goes")
    ways = gpu_probes.DECODING_VARIANTS
    parser.add_argument("--decodings", nargs="*", choices=ways, help="compare ways to decode")
    parser.add_argument("--peaks", action="store_true", help="of decoding at several sizes")
    parser.add_argument("--tiny", action="store_true")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--dtype", default="bfloat16" if torch.cuda.is_available() else "float32")
    parser.add_argument("--name", help="of the result, without .json")
    parser.add_argument("--out", type=Path, default=report.RESULTS)
    given = parser.parse_args(arguments)
    name = given.name or ("gpu_pipelines_tiny" if given.tiny else "gpu_pipelines")
    device, dtype = torch.device(given.device), getattr(torch, given.dtype)
    probes = gpu_probes.probe_device(device, dtype, tiny=given.tiny)
    print(json.dumps(probes), flush=True)
    given.peak = probes["matrix_tflop_a_second"] * 1e12
    shared = {"what": __doc__, "tiny": given.tiny, "dtype": given.dtype, "card": probes}

    def save(**result: Any) -> None:
        report.write(name, {**shared, **result}, folder=given.out)

    measure_all(given, save)


if __name__ == "__main__":
    main()
