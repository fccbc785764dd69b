"""What tiomagic costs over calling the same diffusers pipeline yourself.

Both sides load the same weights (random, of a middle size, so that a step takes about as long as
its arithmetic), make the same video and write the same mp4; tiomagic stores the job besides, tells
each step and hears a cancel. The runs alternate, so that whatever else the machine does hits both::

    uv run python benchmarks/overhead.py --rounds 5

Writes ``benchmarks/results/overhead.json``. The budget is 2 %.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
RESULT = ROOT / "benchmarks" / "results" / "overhead.json"
MODEL = "wan2.1-t2v-1.3b"
CALL: dict[str, Any] = {
    "width": 96,
    "height": 96,
    "num_frames": 33,
    "guidance_scale": 5.0,
    "negative_prompt": "still",
}
PROMPT, SEED, FLOW_SHIFT, FPS = "a fox runs through snow", 7, 3.0, 16


def build_weights(folder: Path) -> Path:
    """Save a text-to-video pipeline of random weights: 8 million parameters."""
    import torch
    from diffusers import WanPipeline, WanTransformer3DModel
    from examples.tiny_vace import LATENT_CHANNELS, TRANSFORMER, shared_parts

    torch.manual_seed(0)
    sizes = {"num_attention_heads": 8, "attention_head_dim": 32, "ffn_dim": 1024, "num_layers": 6}
    transformer = WanTransformer3DModel(**TRANSFORMER | sizes, in_channels=LATENT_CHANNELS).eval()
    WanPipeline(**shared_parts(), transformer=transformer).save_pretrained(folder)
    return folder


class ByHand:
    """Calls the pipeline as the documentation of diffusers shows it."""

    def __init__(self, weights: Path, folder: Path) -> None:
        import torch
        from diffusers import UniPCMultistepScheduler, WanPipeline

        self._pipeline = WanPipeline.from_pretrained(
            weights, dtype={"default": torch.float32, "vae": torch.float32}
        )
        self._pipeline.scheduler = UniPCMultistepScheduler.from_config(
            self._pipeline.scheduler.config, flow_shift=FLOW_SHIFT
        )
        self._pipeline.set_progress_bar_config(disable=True)
        self._target = folder / "by_hand.mp4"

    def make(self, steps: int) -> Path:
        """Make a video and write it."""
        from tiomagic_local.media.mp4 import write_mp4

        write_mp4(self._target, self.frames(steps), fps=FPS, recipe={})
        return self._target

    def frames(self, steps: int) -> Any:
        """Return the frames: uint8, (T, H, W, 3)."""
        import numpy as np
        import torch

        video = self._pipeline(
            prompt=PROMPT,
            num_inference_steps=steps,
            generator=torch.Generator("cpu").manual_seed(SEED),
            output_type="np",
            **CALL,
        ).frames[0]
        return np.floor(np.clip(video, 0, 1) * np.float32(255) + np.float32(0.5)).astype(np.uint8)


def ours(steps: int) -> Path:
    """Make the same video with tiomagic."""
    from tiomagic import tm

    job = tm.text_to_video(
        model=MODEL,
        prompt=PROMPT,
        seed=SEED,
        num_inference_steps=steps,
        flow_shift=FLOW_SHIFT,
        fps=FPS,
        **CALL,
    )
    assert job.result_video is not None
    return Path(job.result_video)


def our_frames(weights_dir: Path, steps: int) -> Any:
    """Return the frames of our engine before they are written."""
    from tiomagic_domain.catalogue import find_model
    from tiomagic_domain.features import Feature, TextToVideoInputs
    from tiomagic_domain.progress import NeverCanceled, ignore_progress
    from tiomagic_local.options import LocalOptions
    from tiomagic_local.runtime import Runtime

    card = find_model(MODEL)
    optional = card.schema(Feature.TEXT_TO_VIDEO).optional
    settings = {parameter.name: parameter.default for parameter in optional} | CALL
    settings |= {"seed": SEED, "num_inference_steps": steps, "flow_shift": FLOW_SHIFT, "fps": FPS}
    runtime = Runtime(LocalOptions(weights_dir=weights_dir, device="cpu"))
    with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
        inputs = TextToVideoInputs(prompt=PROMPT)
        return loaded.engine.text_to_video(
            inputs, settings, ignore_progress, NeverCanceled()
        ).frames


def measure(action: Callable[[], Path]) -> dict[str, float]:
    """Return the seconds of wall and of CPU time of one run."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}


def measure_outside(steps: int) -> dict[str, float]:
    """Return the seconds of one run of ours, and those of them that are not the pipeline's.

    Two runs of the same work differ by more than the overhead on a machine that does other things
    as well. Within one run the clock sees it directly: whatever is not the pipeline's own call,
    and our word after each of its steps.
    """
    from diffusers import WanPipeline

    from tiomagic_local.engines._watch import Watch

    pipeline, word, spent = WanPipeline.__call__, Watch.on_step_end, {"pipeline": 0.0, "word": 0.0}

    def timed(action: Callable[..., Any], kind: str) -> Callable[..., Any]:
        def run(*args: Any, **kwargs: Any) -> Any:
            start = time.perf_counter()
            try:
                return action(*args, **kwargs)
            finally:
                spent[kind] += time.perf_counter() - start

        return run

    # Assigned by hand: the engine holds the class, and the hook is looked up at each call.
    WanPipeline.__call__ = timed(pipeline, "pipeline")
    Watch.on_step_end = timed(word, "word")  # type: ignore[method-assign]
    try:
        wall = measure(lambda: ours(steps))["wall_s"]
    finally:
        WanPipeline.__call__, Watch.on_step_end = pipeline, word  # type: ignore[method-assign]
    return {"wall_s": wall, "outside_s": wall - spent["pipeline"] + spent["word"]}


def alternate(
    hand: Callable[[], Path], own: Callable[[], Path], rounds: int
) -> dict[str, list[dict[str, float]]]:
    """Run both sides in turn; who begins changes with each round."""
    runs: dict[str, list[dict[str, float]]] = {"by_hand": [], "tiomagic": []}
    for number in range(rounds):
        order = ["by_hand", "tiomagic"] if number % 2 == 0 else ["tiomagic", "by_hand"]
        for side in order:
            runs[side].append(measure(hand if side == "by_hand" else own))
            print(number, side, runs[side][-1], file=sys.stderr)
    return runs


def summary(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Return medians, spreads and the overhead in percent."""
    result: dict[str, Any] = {}
    for kind in ("wall_s", "cpu_s"):
        hand = [run[kind] for run in runs["by_hand"]]
        own = [run[kind] for run in runs["tiomagic"]]
        pairs = [100 * (mine / theirs - 1) for mine, theirs in zip(own, hand, strict=True)]
        result[kind] = {
            "by_hand": {"median": statistics.median(hand), "min": min(hand), "max": max(hand)},
            "tiomagic": {"median": statistics.median(own), "min": min(own), "max": max(own)},
            "overhead_percent": {
                "of_medians": 100 * (statistics.median(own) / statistics.median(hand) - 1),
                "median_of_pairs": statistics.median(pairs),
                "of_minima": 100 * (min(own) / min(hand) - 1),
            },
        }
    return result


def machine() -> dict[str, Any]:
    """Return what the numbers were measured on."""
    processor = platform.processor()
    info = Path("/proc/cpuinfo")
    if info.exists():
        lines = [line for line in info.read_text().splitlines() if line.startswith("model name")]
        processor = lines[0].partition(":")[2].strip() if lines else processor
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "load_at_end": os.getloadavg()[0] if hasattr(os, "getloadavg") else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "diffusers", "transformers")},
    }


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        os.environ["TIOMAGIC_WEIGHTS_DIR"] = str(folder / "weights")
        os.environ["TIOMAGIC_DEVICE"] = "cpu"
        import torch

        torch.set_num_threads(given.threads)
        hand = ByHand(build_weights(folder / "weights" / MODEL), folder)
        from tiomagic import tm

        tm.configure(provider="local")
        # The first calls load and warm up, and show that both sides make the same thing.
        same = bool((hand.frames(8) == our_frames(folder / "weights", 8)).all())
        hand.make(2)
        ours(2)
        inside = [measure_outside(given.steps) for _ in range(given.rounds)]
        runs = alternate(lambda: hand.make(given.steps), lambda: ours(given.steps), given.rounds)
    result = {
        "what": "tm.text_to_video against WanPipeline called by hand, same weights, same mp4",
        "call": {**CALL, "num_inference_steps": given.steps, "threads": given.threads},
        "same_frames_bit_for_bit": same,
        "outside_the_pipeline_percent": statistics.median(
            100 * run["outside_s"] / run["wall_s"] for run in inside
        ),
        "outside_runs": inside,
        **summary(runs),
        "runs": runs,
        "machine": machine(),
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
    }
    RESULT.parent.mkdir(parents=True, exist_ok=True)
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    shown = ("outside_the_pipeline_percent", "wall_s", "cpu_s")
    print(json.dumps({key: result[key] for key in shown}, indent=2))


if __name__ == "__main__":
    main()
