"""CogVideoX-Fun: skeletons reach the model, a picture does not, and the sampler is the authors'."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.local.materials import CallRecorder, Materials, settings_of

from tiomagic_domain.features import Feature, MotionInputs, PoseGuidanceInputs
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import PoseGuidanceContract, bytes_of
from tiomagic_local.engines.cogvideox_fun import PICTURE_NOT_READ
from tiomagic_media.decode.frames import load_video

MODEL, FEATURE = "cogvideox-fun-5b-pose", Feature.POSE_GUIDANCE
SMALLEST = {"width": 16, "height": 16, "num_frames": 9, "fps": 8}


class TestPoses(PoseGuidanceContract):
    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, FEATURE).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE, **SMALLEST)


def make(engine: Any, inputs: Any, **changes: Any) -> bytes:
    """Return the pixels of a video."""
    settings = settings_of(MODEL, FEATURE, **{**SMALLEST, **changes})
    clip = engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
    return bytes_of(clip).tobytes()


def test_a_motion_alone_is_enough(engine: Any, studio: Materials) -> None:
    """Without a picture it makes the same video as with any, and a warning says so."""
    motion = studio.video()
    alone = studio.request(MODEL, FEATURE, media={"pose_video": motion}).inputs
    assert type(alone) is MotionInputs
    pictured = [
        studio.request(
            MODEL, FEATURE, media={"pose_video": motion, "image": studio.picture(colour=colour)}
        ).inputs
        for colour in ("orange", "blue")
    ]
    assert all(isinstance(inputs, PoseGuidanceInputs) for inputs in pictured)
    assert len({make(engine, inputs) for inputs in (alone, *pictured)}) == 1
    settings = settings_of(MODEL, FEATURE, **SMALLEST)
    assert PICTURE_NOT_READ in engine.warnings(pictured[0], settings)
    assert PICTURE_NOT_READ not in engine.warnings(alone, settings)


def test_the_skeletons_are_those_of_the_video(engine: Any, studio: Materials) -> None:
    """They are fitted to the size and the rate, and another motion makes another video."""
    inputs: Any = studio.request(MODEL, FEATURE).inputs
    recorder = CallRecorder(engine._pictures._pipeline)
    engine._pictures._pipeline = recorder
    try:
        first = make(engine, inputs, pose_pace="real")
    finally:
        engine._pictures._pipeline = recorder.pipeline
    (given,) = recorder.calls
    expected = load_video(inputs.pose_video, count=9, size=(16, 16), fps=8)
    assert (np.stack([np.asarray(frame) for frame in given["control_video"]]) == expected).all()
    assert "num_frames" not in given
    still = studio.film(np.stack([np.asarray(Image.new("RGB", (64, 48), "white"))] * 9))
    other = studio.request(MODEL, FEATURE, media={"pose_video": still}).inputs
    assert make(engine, other) != first


def test_the_sampler_is_plain_ddim_at_the_authors_steps(engine: Any) -> None:
    """DDIM_Origin of their script: diffusers' own, with the repository's noise and spacing."""
    scheduler = engine._pictures._scheduler({})
    assert type(scheduler).__name__ == "DDIMScheduler"
    shipped = engine._pipeline.scheduler.config
    assert scheduler.config.prediction_type == shipped.prediction_type == "v_prediction"
    assert scheduler.config.timestep_spacing == shipped.timestep_spacing
