"""SkyReels-V2: three features on one set of weights, pictures that are frames without noise."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    InterpolateContract,
    TextToVideoContract,
    bytes_of,
)
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image

MODEL = "skyreels-v2-df-1.3b-540p"


class OnTinyWeights:
    """Fixtures of the contracts."""

    feature: Feature

    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, MODEL, self.feature)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, self.feature)


class TestWords(OnTinyWeights, TextToVideoContract):
    feature = Feature.TEXT_TO_VIDEO


class TestPicture(OnTinyWeights, ImageToVideoContract):
    feature = Feature.IMAGE_TO_VIDEO


class TestTwoPictures(OnTinyWeights, InterpolateContract):
    feature = Feature.INTERPOLATE


def test_first_and_last_are_not_mixed_up(runtime: Runtime, studio: Materials) -> None:
    """Both come in the size of the video, each in its place, and the length is the whole one."""
    engine = engine_of(runtime, MODEL, Feature.INTERPOLATE)
    inputs: Any = studio.request(MODEL, Feature.INTERPOLATE).inputs
    pictures = engine._pictures
    recorder = CallRecorder(pictures._pipeline)
    settings = settings_of(MODEL, Feature.INTERPOLATE, width=48, num_frames=13)
    pictures._pipeline = recorder
    try:
        clip = engine.interpolate(inputs, settings, ignore_progress, NeverCanceled())
    finally:
        pictures._pipeline = recorder.__dict__["pipeline"]
    (given,) = recorder.calls
    for name, media in (("image", inputs.first_frame), ("last_image", inputs.last_frame)):
        assert (np.asarray(given[name]) == np.asarray(cover(load_image(media), 48, 32))).all()
    assert clip.frames.shape == (13, 32, 48, 3)


@pytest.mark.parametrize("which", ["first_frame", "last_frame"])
def test_either_end_changes_the_video(runtime: Runtime, studio: Materials, which: str) -> None:
    """Neither of the two pictures is ignored."""
    engine = engine_of(runtime, MODEL, Feature.INTERPOLATE)
    media = studio.media(Feature.INTERPOLATE)
    # Tiny random weights hear a picture faintly; its guidance makes it more than a rounding.
    settings = settings_of(MODEL, Feature.INTERPOLATE, guidance_scale=20.0)
    made = []
    for given in (media, media | {which: studio.picture(colour="lime")}):
        inputs = studio.request(MODEL, Feature.INTERPOLATE, media=given).inputs
        clip = engine.interpolate(inputs, settings, ignore_progress, NeverCanceled())
        made.append(bytes_of(clip).tobytes())
    assert made[0] != made[1]


def test_the_features_share_their_weights_and_not_their_defaults(runtime: Runtime) -> None:
    """Nothing is loaded twice; words have another shift and guidance than pictures."""
    engine = engine_of(runtime, MODEL, Feature.TEXT_TO_VIDEO)
    for name in ("transformer", "text_encoder", "vae"):
        assert getattr(engine._pipeline, name) is getattr(engine._pictures._pipeline, name)
    card = find_model(MODEL)
    words, picture = card.schema(Feature.TEXT_TO_VIDEO), card.schema(Feature.IMAGE_TO_VIDEO)
    for name, defaults in (("flow_shift", (8.0, 5.0)), ("guidance_scale", (6.0, 5.0))):
        assert (words[name].default, picture[name].default) == defaults
