"""Every engine keeps the contract of every feature port that it serves."""

from __future__ import annotations

from typing import Any

import pytest
from tests.every import for_each
from tests.local.materials import Materials, engine_of, settings_of

from tiomagic.wiring.registry import providers_of
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    InterpolateContract,
    PoseGuidanceContract,
    TextToVideoContract,
)
from tiomagic_local.engines import find_engine
from tiomagic_local.runtime.pipeline_cache import Runtime


class OnTinyWeights:
    """Fixtures of the contracts, over tiny weights loaded as any others are."""

    model: str
    feature: Feature

    @pytest.fixture
    def engine(self, shared_runtime: Runtime) -> Any:
        return engine_of(shared_runtime, self.model, self.feature)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(self.model, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(self.model, self.feature)


class TestWanText(OnTinyWeights, TextToVideoContract):
    model, feature = "wan2.1-t2v-1.3b", Feature.TEXT_TO_VIDEO


class TestWanPicture(OnTinyWeights, ImageToVideoContract):
    model, feature = "wan2.1-i2v-14b-480p", Feature.IMAGE_TO_VIDEO


class TestWanFirstAndLast(OnTinyWeights, InterpolateContract):
    model, feature = "wan2.1-flf2v-14b-720p", Feature.INTERPOLATE


class TestVaceText(OnTinyWeights, TextToVideoContract):
    model, feature = "wan2.1-vace-1.3b", Feature.TEXT_TO_VIDEO


class TestVacePicture(OnTinyWeights, ImageToVideoContract):
    model, feature = "wan2.1-vace-1.3b", Feature.IMAGE_TO_VIDEO


class TestVaceFirstAndLast(OnTinyWeights, InterpolateContract):
    model, feature = "wan2.1-vace-1.3b", Feature.INTERPOLATE


class TestVacePose(OnTinyWeights, PoseGuidanceContract):
    model, feature = "wan2.1-vace-1.3b", Feature.POSE_GUIDANCE


@for_each(sorted(models()))
def test_every_card_has_an_engine_that_serves_it(name: str) -> None:
    """A model that is listed for this provider has an engine with a method for each feature."""
    card = models()[name]
    if "local" not in providers_of(card):
        return
    engine = find_engine(card.engine)
    assert set(card.features) <= set(engine.features)
    for feature in card.features:
        assert callable(getattr(engine, feature.value))


def test_an_engine_refuses_a_feature_that_it_does_not_have(
    shared_runtime: Runtime, studio: Materials
) -> None:
    """A card that names the wrong engine is found out by name, before anything runs."""
    engine = engine_of(shared_runtime, "wan2.1-t2v-1.3b", Feature.TEXT_TO_VIDEO)
    inputs = studio.request("wan2.1-vace-1.3b", Feature.IMAGE_TO_VIDEO).inputs
    with pytest.raises(TypeError, match="WanTextToVideo does not have image_to_video"):
        engine.image_to_video(inputs, {}, ignore_progress, NeverCanceled())
