"""How far single means of ``acceleration`` are from the exact videos: batches of two, and fp8.

The shipped model makes the same videos with both passes of a step as one batch and in fp8; they are
compared with the exact ones::

    uv run python benchmarks/accelerations.py

Writes ``benchmarks/results/accelerations.json``. Step caches have ``benchmarks/step_caches.py``.
"""

from __future__ import annotations

import argparse
import math
import statistics
from typing import Any

import numpy as np
import report

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.catalogue.acceleration import Acceleration
from tiomagic_domain.features import Feature, TextToVideoInputs
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.schema.parameter import UNSET
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

MODEL, FEATURE = "doodle", Feature.TEXT_TO_VIDEO
PROMPTS = (
    "a red circle moves right on a white background",
    "a blue square bounces on a mint background",
    "a green triangle spins on a night background",
    "an orange star grows on a sky background",
    "a purple stick figure walks left on a white background",
    "a pink stick figure waves on a grey background",
    "a yellow circle shrinks on a night background",
    "a black star moves up on a mint background",
)
EXACT = Acceleration(batch_guidance="off")
"""Pass for pass what diffusers does."""
ACCELERATIONS = {
    "exact, pass by pass": EXACT,
    "exact": Acceleration(),
    "fp8": Acceleration(fp8=True, batch_guidance="off"),
}


class VideoMaker:
    """Makes videos with the shipped model."""

    def __init__(self, steps: int) -> None:
        self._card = find_model(MODEL, FEATURE)
        optional = self._card.schema(FEATURE).optional
        settled = [parameter for parameter in optional if parameter.default is not UNSET]
        self._settings = {parameter.name: parameter.default for parameter in settled}
        self._settings |= {"num_inference_steps": steps, "seed": 7}
        self._runtime = Runtime(LocalOptions(device="cpu"))

    def make(self, prompt: str, wanted: Acceleration) -> np.ndarray:
        """Return the frames, uint8 (T, H, W, 3)."""
        settings = {**self._settings, "acceleration": wanted.to_dict()}
        token = NeverCanceled()
        with self._runtime.use(self._card, settings, ignore_progress, token) as loaded:
            inputs = TextToVideoInputs(prompt=prompt)
            clip = loaded.engine.text_to_video(inputs, settings, ignore_progress, token)
        return np.asarray(clip.frames)


def psnr(frames: np.ndarray, exact: np.ndarray) -> float:
    """Return the peak signal-to-noise ratio in dB; infinite for equal frames."""
    error = float(((frames.astype(float) - exact) ** 2).mean())
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def measure(studio: VideoMaker, wanted: Acceleration, exact: list[np.ndarray]) -> dict[str, Any]:
    """Return what an acceleration does to the videos of all prompts."""
    pairs = zip(PROMPTS, exact, strict=True)
    distances = [psnr(studio.make(prompt, wanted), reference) for prompt, reference in pairs]
    return {
        "psnr_db_median": _rounded(statistics.median(distances)),
        "psnr_db_least": _rounded(min(distances)),
    }


def _rounded(decibels: float) -> float | None:
    return None if math.isinf(decibels) else round(decibels, 1)


def main() -> None:
    """Measure and write the result."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=30)
    steps = parser.parse_args().steps
    studio, others = VideoMaker(steps), {}
    exact = [studio.make(prompt, EXACT) for prompt in PROMPTS]
    for name, wanted in ACCELERATIONS.items():
        others[name] = {"steps": steps, **measure(studio, wanted, exact)}
        print(name, others[name], flush=True)
    result = {"what": __doc__, "model": MODEL, "others": others}
    print(report.write("accelerations", {**result, "prompts": PROMPTS}))


if __name__ == "__main__":
    main()
