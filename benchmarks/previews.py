"""What previews cost: a drawing of latents in the shapes of real models, and a whole run of doodle.

A drawing is all that a preview takes of a run: the map of the latents before a step and after it,
the estimate of their end, and the JPEG. The time is the processor's, so that what else the machine
does is left out; on a GPU the map is less still, and the rest is the same::

    uv run python benchmarks/previews.py

Writes ``benchmarks/results/previews.json``. The budget is 1 % of a run.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

import report

ROUNDS = 30
SHAPES: dict[str, tuple[int, ...]] = {
    "doodle, 64x64, 17 frames": (1, 8, 5, 16, 16),
    "Wan 2.1, 832x480, 81 frames": (1, 16, 21, 60, 104),
    "Wan 2.1, 1280x720, 81 frames": (1, 16, 21, 90, 160),
    "Wan 2.2 5B, 1280x704, 121 frames": (1, 48, 31, 44, 80),
    "LTX-2, 1536x1024, 121 frames": (1, 128, 16, 32, 48),
}
"""The latents of a video: (1, C, T, h, w)."""
STEPS = 50


class Watched:
    """Someone who looks all the time."""

    def is_wanted(self) -> bool:
        """Return True."""
        return True

    def refuse(self, reason: str) -> None:
        """Fail: these have colours."""
        raise RuntimeError(reason)


def measure_drawing(shape: tuple[int, ...]) -> dict[str, Any]:
    """Return the milliseconds of a preview of latents, and the bytes of its file."""
    import torch
    from diffusers import FlowMatchEulerDiscreteScheduler

    from tiomagic_local.preview.colours import LatentColours
    from tiomagic_local.preview.drawer import PreviewDrawer

    class Pipeline:
        scheduler = FlowMatchEulerDiscreteScheduler(shift=5.0)

    generator = torch.manual_seed(0)
    factors = torch.randn(3, shape[1], generator=generator) / shape[1]
    colours = LatentColours(factors=factors, bias=torch.full((3,), 0.5))
    latents = torch.randn(shape, generator=generator)
    Pipeline.scheduler.set_timesteps(10)
    Pipeline.scheduler.step(latents, Pipeline.scheduler.timesteps[0], latents)
    spent, size = [], 0
    for _ in range(ROUNDS):
        # A new one each time: the pace of one would leave most of them out.
        drawer = PreviewDrawer(
            Pipeline(),
            unpack=lambda given: given[0],
            find=lambda: colours,
            command="",
            request=Watched(),
        )
        began = time.process_time()
        drawer.after_step(1, latents)
        found = drawer.after_step(2, latents)
        spent.append(1000 * (time.process_time() - began))
        assert found is not None, "the second step has a preview"
        assert found.jpeg, found.reason
        size = len(found.jpeg)
    return {"ms": round(statistics.median(spent), 2), "bytes": size}


def measure_run() -> dict[str, Any]:
    """Return the part of a run of doodle that its previews take."""
    from tiomagic import TioMagic
    from tiomagic_local.preview.drawer import PreviewDrawer
    from tiomagic_local.preview.request import EVERY_S, EVERY_STEPS, LARGEST_SHARE

    spent: list[float] = []
    original = PreviewDrawer.after_step

    def timed(self: PreviewDrawer, step: int, latents: Any) -> Any:
        began = time.process_time()
        try:
            return original(self, step, latents)
        finally:
            spent.append(time.process_time() - began)

    drawn = []
    with tempfile.TemporaryDirectory() as folder:
        tm = TioMagic(working_dir=Path(folder), provider="local")
        call: dict[str, Any] = {"prompt": "a red circle moves right", "seed": 1}
        call |= {"num_inference_steps": STEPS, "progress": False}
        tm.text_to_video("doodle", **call)  # Loads the model.
        PreviewDrawer.after_step = timed  # type: ignore[method-assign]
        try:
            began = time.process_time()
            tm.text_to_video(
                "doodle",
                preview=True,
                on_progress=lambda moment: drawn.append(moment.preview),
                **call,
            )
            whole = time.process_time() - began
        finally:
            PreviewDrawer.after_step = original  # type: ignore[method-assign]
            tm.close()
    return {
        "steps": STEPS,
        "previews": sum(1 for one in drawn if one),
        "run_s": round(whole, 3),
        "previews_s": round(sum(spent), 4),
        "percent": round(100 * sum(spent) / whole, 2),
        "every_steps": EVERY_STEPS,
        "every_s": EVERY_S,
        "largest_percent": 100 * LARGEST_SHARE,
    }


def main() -> None:
    """Measure and write."""
    import torch

    torch.set_num_threads(1)
    result = {
        "what": "the processor's time of previews, one thread",
        "run": measure_run(),
        "drawings": {name: measure_drawing(shape) for name, shape in SHAPES.items()},
    }
    print(report.write("previews", result))


if __name__ == "__main__":
    main()
