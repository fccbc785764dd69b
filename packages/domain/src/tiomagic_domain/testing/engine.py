"""An engine for tests: it serves all four features and draws noise instead of a video."""

from __future__ import annotations

import random
from array import array
from collections.abc import Mapping
from typing import Any, cast

from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import (
    ImageToVideoInputs,
    InterpolateInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.media import Clip, Frames, Samples
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink


class FakeEngine:
    """Draws noise from the seed, at the size and length of the settings.

    The frames are a ``memoryview`` uint8 (T, H, W, 3), which numpy reads as it is, and so is the
    sound, float32 (samples, 2).

    Args:
        fps: Frames a second of its clips.
        audio_rate: Samples of sound a second; None for an engine without sound.

    Attributes:
        asked: Name of the feature and the inputs of each call.
        failure: Raised after the last step while it is set.
    """

    def __init__(self, *, fps: float = 16, audio_rate: int | None = None) -> None:
        self.asked: list[tuple[str, object]] = []
        self.failure: GenerationError | None = None
        self._fps = fps
        self._audio_rate = audio_rate

    def text_to_video(
        self,
        inputs: TextToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip from words."""
        return self._make("text_to_video", inputs, settings, progress, cancel)

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip from a picture."""
        return self._make("image_to_video", inputs, settings, progress, cancel)

    def interpolate(
        self,
        inputs: InterpolateInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip between two pictures."""
        return self._make("interpolate", inputs, settings, progress, cancel)

    def pose_guidance(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip that follows skeletons."""
        return self._make("pose_guidance", inputs, settings, progress, cancel)

    def _make(
        self,
        feature: str,
        inputs: object,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        self.asked.append((feature, inputs))
        progress(Progress(phase=Phase.ENCODING))
        steps = int(settings["num_inference_steps"])
        for step in range(steps):
            cancel.raise_if_canceled()
            progress(Progress(phase=Phase.DENOISING, step=step + 1, steps=steps))
        if self.failure is not None:
            raise self.failure
        shape = (int(settings["num_frames"]), int(settings["height"]), int(settings["width"]), 3)
        seed, rate = int(settings["seed"]), self._audio_rate
        count = 0 if rate is None else round(shape[0] / self._fps * rate)
        return Clip(
            frames=noise(shape, seed=seed),
            fps=self._fps,
            audio=None if rate is None else hiss(count, seed=seed),
            audio_rate=rate,
        )


def noise(shape: tuple[int, int, int, int], *, seed: int) -> Frames:
    """Return random frames.

    Args:
        shape: Frames, height, width and 3.
        seed: The same seed gives the same frames.
    """
    count = shape[0] * shape[1] * shape[2] * shape[3]
    drawn = memoryview(random.Random(seed).randbytes(count))  # noqa: S311 - pictures, no secrets
    return cast("Frames", drawn.cast("B", shape=shape))


def hiss(count: int, *, seed: int) -> Samples:
    """Return random sound in two channels.

    Args:
        count: Samples.
        seed: The same seed gives the same sound.
    """
    drawn = random.Random(seed)  # noqa: S311 - sound, no secrets
    values = array("f", (drawn.uniform(-1, 1) for _ in range(2 * count)))
    return cast("Samples", memoryview(values).cast("B").cast("f", shape=(count, 2)))
