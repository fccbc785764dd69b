"""What every model engine does, one class a feature port."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any

import pytest

from tiomagic_domain.errors import GenerationCanceledError
from tiomagic_domain.features import (
    ImageToVideoInputs,
    InterpolateInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.media import Clip
from tiomagic_domain.ports import ImageToVideo, Interpolate, PoseGuidance, TextToVideo
from tiomagic_domain.progress import (
    CancelToken,
    NeverCanceled,
    Phase,
    Progress,
    ProgressSink,
    ignore_progress,
)


class CancelAt:
    """A cancel token that is set from the n-th time on that it is asked.

    Attributes:
        asked: How often it was asked.
    """

    def __init__(self, nth: int) -> None:
        self.asked: int = 0
        self._nth = nth

    def raise_if_canceled(self) -> None:
        """Count, and end the generation from the n-th time on."""
        self.asked += 1
        if self.asked >= self._nth:
            raise GenerationCanceledError("canceled by the test")


class EngineContract(ABC):
    """What the four feature ports have in common; subclass one of the classes below.

    Each wants the fixtures ``engine``, ``inputs`` (of the feature) and ``settings``: every setting
    of the model's schema, as small as it can be, with a seed and at least 2 steps.
    """

    @abstractmethod
    def make(
        self,
        engine: Any,
        inputs: Any,
        settings: Mapping[str, Any],
        progress: ProgressSink = ignore_progress,
        cancel: CancelToken | None = None,
    ) -> Clip:
        """Call the method of the port."""

    def test_the_frames_are_as_asked(
        self, engine: object, inputs: object, settings: Mapping[str, Any]
    ) -> None:
        """Frames are uint8 (T, H, W, 3) of exactly the length and size of the settings."""
        clip = self.make(engine, inputs, settings)
        expected = (settings["num_frames"], settings["height"], settings["width"], 3)
        assert tuple(clip.frames.shape) == expected
        assert bytes_of(clip).format == "B"
        assert clip.fps > 0

    def test_the_sound_is_as_long_as_the_video(
        self, engine: object, inputs: object, settings: Mapping[str, Any]
    ) -> None:
        """Sound, of a model that has any, is float32 within -1 and 1 and ends with the frames."""
        clip = self.make(engine, inputs, settings)
        if clip.audio is None:
            return
        assert clip.audio_rate is not None
        heard: Any = clip.audio
        samples = memoryview(heard)
        assert samples.format == "f"
        assert all(-1 <= value <= 1 for value in samples.cast("B").cast("f"))
        seconds = clip.frames.shape[0] / clip.fps
        # Models make sound in pieces of some hundredths of a second.
        assert abs(clip.audio.shape[0] / clip.audio_rate - seconds) < 0.1

    def test_each_step_is_told(
        self, engine: object, inputs: object, settings: Mapping[str, Any]
    ) -> None:
        """Every denoising step is reported once and in order, up to the last."""
        events: list[Progress] = []

        def listen(progress: Progress) -> None:
            events.append(progress)

        self.make(engine, inputs, settings, listen)
        denoising = [moment for moment in events if moment.phase is Phase.DENOISING and moment.step]
        steps = settings["num_inference_steps"]
        assert [moment.step for moment in denoising] == list(range(1, steps + 1))
        assert {moment.steps for moment in denoising} == {steps}

    def test_the_same_seed_gives_the_same_frames(
        self, engine: object, inputs: object, settings: Mapping[str, Any]
    ) -> None:
        """A run can be made again bit for bit, and another seed gives something else."""
        first = bytes_of(self.make(engine, inputs, settings)).tobytes()
        again = bytes_of(self.make(engine, inputs, settings)).tobytes()
        other = bytes_of(self.make(engine, inputs, {**settings, "seed": settings["seed"] + 1}))
        assert first == again
        assert other.tobytes() != first

    @pytest.mark.parametrize("nth", [1, 2])
    def test_a_cancel_ends_the_run_and_nothing_else(
        self, engine: object, inputs: object, settings: Mapping[str, Any], nth: int
    ) -> None:
        """A run ends before its next step, and the next run is as if it had not been."""
        expected = bytes_of(self.make(engine, inputs, settings)).tobytes()
        token = CancelAt(nth)
        with pytest.raises(GenerationCanceledError):
            self.make(engine, inputs, settings, cancel=token)
        assert token.asked == nth
        assert bytes_of(self.make(engine, inputs, settings)).tobytes() == expected

    def test_settings_are_left_alone(
        self, engine: object, inputs: object, settings: Mapping[str, Any]
    ) -> None:
        """The caller's settings are read and not changed: they are the record."""
        given = dict(settings)
        self.make(engine, inputs, given)
        assert given == dict(settings)


class TextToVideoContract(EngineContract):
    """What every text to video engine does. Fixtures: see ``EngineContract``."""

    def make(
        self,
        engine: TextToVideo,
        inputs: TextToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink = ignore_progress,
        cancel: CancelToken | None = None,
    ) -> Clip:
        """Call the method of the port."""
        return engine.text_to_video(inputs, settings, progress, cancel or NeverCanceled())


class ImageToVideoContract(EngineContract):
    """What every image to video engine does. Fixtures: see ``EngineContract``."""

    def make(
        self,
        engine: ImageToVideo,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink = ignore_progress,
        cancel: CancelToken | None = None,
    ) -> Clip:
        """Call the method of the port."""
        return engine.image_to_video(inputs, settings, progress, cancel or NeverCanceled())


class InterpolateContract(EngineContract):
    """What every interpolating engine does. Fixtures: see ``EngineContract``."""

    def make(
        self,
        engine: Interpolate,
        inputs: InterpolateInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink = ignore_progress,
        cancel: CancelToken | None = None,
    ) -> Clip:
        """Call the method of the port."""
        return engine.interpolate(inputs, settings, progress, cancel or NeverCanceled())


class PoseGuidanceContract(EngineContract):
    """What every pose guidance engine does. Fixtures: see ``EngineContract``."""

    def make(
        self,
        engine: PoseGuidance,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink = ignore_progress,
        cancel: CancelToken | None = None,
    ) -> Clip:
        """Call the method of the port."""
        return engine.pose_guidance(inputs, settings, progress, cancel or NeverCanceled())


def bytes_of(clip: Clip) -> memoryview:
    """Return a look at a clip's frames, whatever library made them."""
    frames: Any = clip.frames
    return memoryview(frames)
