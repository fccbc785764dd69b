"""What tiomagic costs over calling the same diffusers pipeline yourself.

Both sides load the same weights (random, of a middle size, so that a step takes about as long as
its arithmetic), make the same video and write the same mp4; tiomagic stores the job besides, tells
each step and hears a cancel. The runs alternate, so that whatever else the machine does hits both;
the most memory that a process has held is asked of fresh processes, one a side and round::

    uv run python benchmarks/overhead.py --rounds 5

Writes ``benchmarks/results/overhead.json``. The budgets are 2 % of the time of a run of 20 s, and
5 % of the memory. A run of four steps shows what a job costs however short it is.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import report

ROOT = Path(__file__).parents[1]
TINY_STEPS = 4
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


class PlainDiffusers:
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
        from tiomagic_media.encode.mp4 import write_mp4

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


def make_with_tiomagic(steps: int) -> Path:
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
    from tiomagic_domain.schema.parameter import UNSET
    from tiomagic_local.options import LocalOptions
    from tiomagic_local.runtime.pipeline_cache import Runtime

    card = find_model(MODEL)
    optional = card.schema(Feature.TEXT_TO_VIDEO).optional
    settings = {one.name: one.default for one in optional if one.default is not UNSET} | CALL
    settings |= {"seed": SEED, "num_inference_steps": steps, "flow_shift": FLOW_SHIFT, "fps": FPS}
    # Pass for pass the calls of the other side: what a batch of them saves is no overhead.
    settings["acceleration"] = {"batch_guidance": "off"}
    runtime = Runtime(LocalOptions(weights_dir=weights_dir, device="cpu"))
    with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
        inputs = TextToVideoInputs(prompt=PROMPT)
        return loaded.engine.text_to_video(
            inputs, settings, ignore_progress, NeverCanceled()
        ).frames


def measure(action: Callable[[], Path]) -> dict[str, float]:
    """Return the seconds of one run: wall time, CPU time, and what of it is not the pipeline's.

    Two runs of the same work differ by more than the overhead on a machine that does other things
    as well. Within one run the clock sees it directly: whatever is not the pipeline's own call,
    and our word after each of its steps.
    """
    from diffusers import WanPipeline

    from tiomagic_local.engines._shared.watch import Watch

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
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        action()
    finally:
        WanPipeline.__call__, Watch.on_step_end = pipeline, word  # type: ignore[method-assign]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    outside = wall - spent["pipeline"] + spent["word"]
    return {"wall_s": wall, "cpu_s": cpu, "outside_s": outside}


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


def summarize(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Return medians, spreads and the overhead in percent."""
    result: dict[str, Any] = {}
    for kind in ("wall_s", "cpu_s", "outside_s"):
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


def peak_memory(weights: Path, steps: int, rounds: int) -> dict[str, Any]:
    """Return the most memory that a process of each side has held, in MiB: medians and all runs."""
    found: dict[str, list[float]] = {"by_hand": [], "tiomagic": []}
    for _ in range(rounds):
        for side, peaks in found.items():
            command = [sys.executable, __file__, "--side", side, "--steps", str(steps)]
            done = subprocess.run(
                [*command, "--weights", str(weights)],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
                cwd=weights,
            )
            peaks.append(float(done.stdout.splitlines()[-1]))
    medians = {side: statistics.median(peaks) for side, peaks in found.items()}
    more = 100 * (medians["tiomagic"] / medians["by_hand"] - 1)
    return {**medians, "overhead_percent": more, "runs": found}


def one_side(side: str, weights: Path, steps: int, threads: int) -> None:
    """Make a video on one side in this process, and print the most memory that it held, in MiB."""
    import resource

    prepare(weights, threads)
    if side == "by_hand":
        PlainDiffusers(weights / MODEL, Path.cwd()).make(steps)
    else:
        make_with_tiomagic(steps)
    # Linux counts in KiB.
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def prepare(weights: Path, threads: int) -> None:
    """Have both sides compute the same way."""
    os.environ["TIOMAGIC_WEIGHTS_DIR"] = str(weights)
    os.environ["TIOMAGIC_DEVICE"] = "cpu"
    os.environ["TIOMAGIC_PROVIDER"] = "local"
    import torch

    torch.set_num_threads(threads)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--side", choices=("by_hand", "tiomagic"), help=argparse.SUPPRESS)
    parser.add_argument("--weights", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    sys.path.insert(0, str(ROOT))
    if given.side is not None:
        one_side(given.side, given.weights, given.steps, given.threads)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chdir(folder)
        weights = folder / "weights"
        prepare(weights, given.threads)
        hand = PlainDiffusers(build_weights(weights / MODEL), folder)
        memory = peak_memory(weights, TINY_STEPS, given.rounds)
        # The first calls load and warm up, and show that both sides make the same thing.
        same = bool((hand.frames(8) == our_frames(weights, 8)).all())
        hand.make(2)
        make_with_tiomagic(2)

        def both(steps: int, rounds: int) -> dict[str, list[dict[str, float]]]:
            return alternate(lambda: hand.make(steps), lambda: make_with_tiomagic(steps), rounds)

        tiny = both(TINY_STEPS, 2 * given.rounds)
        runs = both(given.steps, given.rounds)
    long = summarize(runs)
    more = long["outside_s"]["tiomagic"]["median"] - long["outside_s"]["by_hand"]["median"]
    result = {
        "what": "tm.text_to_video against WanPipeline called by hand, same weights, same mp4",
        "call": {**CALL, "num_inference_steps": given.steps, "threads": given.threads},
        "same_frames_bit_for_bit": same,
        "overhead_outside_the_pipeline_percent": 100 * more / long["wall_s"]["by_hand"]["median"],
        "peak_memory": memory,
        "tiny": {"num_inference_steps": TINY_STEPS, **summarize(tiny)},
        **long,
        "runs": runs,
    }
    print(report.write("overhead", result))
    shown = ("overhead_outside_the_pipeline_percent", "peak_memory", *long)
    print(json.dumps({key: result[key] for key in shown}, indent=2))


if __name__ == "__main__":
    main()
