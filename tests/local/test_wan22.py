"""Wan 2.2: two experts with a guidance each, and a model of two features with another VAE."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    InterpolateContract,
    PoseGuidanceContract,
    TextToVideoContract,
    bytes_of,
)
from tiomagic_local.engines.wan_i2v import WanImageToVideo
from tiomagic_local.engines.wan_t2v import WanTextToVideo
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image

TEXT, IMAGE, SMALL = "wan2.2-t2v-a14b", "wan2.2-i2v-a14b", "wan2.2-ti2v-5b"
VACE = "wan2.2-vace-fun-a14b"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with tiny models of the family."""
    weights = save(tmp_path_factory.mktemp("weights"), [TEXT, IMAGE, SMALL, VACE])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


class OnTinyWeights:
    """Fixtures of the contracts."""

    model: str
    feature: Feature

    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, self.model, self.feature)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(self.model, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(self.model, self.feature)


class TestExpertsOnWords(OnTinyWeights, TextToVideoContract):
    model, feature = TEXT, Feature.TEXT_TO_VIDEO


class TestExpertsOnAPicture(OnTinyWeights, ImageToVideoContract):
    model, feature = IMAGE, Feature.IMAGE_TO_VIDEO


class TestExpertsBetweenPictures(OnTinyWeights, InterpolateContract):
    model, feature = IMAGE, Feature.INTERPOLATE


class TestExpertsOnSkeletons(OnTinyWeights, PoseGuidanceContract):
    model, feature = VACE, Feature.POSE_GUIDANCE


class TestSmallOnWords(OnTinyWeights, TextToVideoContract):
    model, feature = SMALL, Feature.TEXT_TO_VIDEO


class TestSmallOnAPicture(OnTinyWeights, ImageToVideoContract):
    model, feature = SMALL, Feature.IMAGE_TO_VIDEO


def frames_of(runtime: Runtime, model: str, feature: Feature, inputs: Any, **changes: Any) -> bytes:
    """Return the pixels of a clip."""
    settings = settings_of(model, feature, **changes)
    method = getattr(engine_of(runtime, model, feature), feature.value)
    return bytes_of(method(inputs, settings, ignore_progress, NeverCanceled())).tobytes()


@pytest.mark.parametrize(
    ("model", "feature"),
    [
        (TEXT, Feature.TEXT_TO_VIDEO),
        (IMAGE, Feature.IMAGE_TO_VIDEO),
        (VACE, Feature.INTERPOLATE),
    ],
)
def test_each_expert_has_its_own_guidance(
    runtime: Runtime, studio: Materials, model: str, feature: Feature
) -> None:
    """Both scales reach their expert: a change of either changes the video."""
    inputs = studio.request(model, feature).inputs
    # Of these steps the first is the first expert's and the last the second's.
    given = {"num_inference_steps": 3, "flow_shift": 3.0}
    plain = frames_of(runtime, model, feature, inputs, **given)
    first = frames_of(runtime, model, feature, inputs, **given, guidance_scale=8.0)
    second = frames_of(runtime, model, feature, inputs, **given, guidance_scale_2=8.0)
    assert len({plain, first, second}) == 3


@pytest.mark.parametrize("model", [TEXT, VACE])
def test_both_experts_take_their_turn(runtime: Runtime, studio: Materials, model: str) -> None:
    """The noisy steps are the first expert's, the others the second's, as the repository says."""
    engine = engine_of(runtime, model, Feature.TEXT_TO_VIDEO)
    turns: list[str] = []
    handles = [
        getattr(engine._pipeline, name).register_forward_pre_hook(
            lambda *_call, name=name: turns.append(name)
        )
        for name in ("transformer", "transformer_2")
    ]
    settings = settings_of(
        model,
        Feature.TEXT_TO_VIDEO,
        num_inference_steps=4,
        guidance_scale=1.0,
        guidance_scale_2=1.0,
        flow_shift=1.0,
    )
    inputs: Any = studio.request(model).inputs
    try:
        engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
    finally:
        for handle in handles:
            handle.remove()
    # Steps at 1.0, 0.75, 0.5 and 0.25 of the noise; the second takes over below 0.875.
    assert turns == ["transformer", *["transformer_2"] * 3]


def test_the_last_frame_reaches_the_experts(runtime: Runtime, studio: Materials) -> None:
    """Between two pictures both are given, in the size of the video and in their places."""
    engine = engine_of(runtime, IMAGE, Feature.INTERPOLATE)
    recorder = CallRecorder(engine._pipeline)
    inputs: Any = studio.request(IMAGE, Feature.INTERPOLATE).inputs
    settings = settings_of(IMAGE, Feature.INTERPOLATE, width=48)
    WanImageToVideo(recorder, find_model(IMAGE)).interpolate(
        inputs, settings, ignore_progress, NeverCanceled()
    )
    (given,) = recorder.calls
    for name, media in (("image", inputs.first_frame), ("last_image", inputs.last_frame)):
        assert (np.asarray(given[name]) == np.asarray(cover(load_image(media), 48, 32))).all()


@pytest.mark.parametrize("feature", [Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO])
@pytest.mark.parametrize(("given", "nearest"), [(720, 704), (48, 32), (16, 32)])
def test_sides_that_would_be_rounded_down_are_refused(
    feature: Feature, given: int, nearest: int
) -> None:
    """The 5B pipeline accepts 1280x720 and makes 1280x704; the schema says so before."""
    schema = find_model(SMALL).schema(feature)
    arguments = {"prompt": "a"} | ({"image": "a.png"} if "image" in schema else {})
    with pytest.raises(ValidationError) as caught:
        schema.validate({**arguments, "height": given})
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == ("height", nearest)


def test_the_small_model_is_not_offered_for_what_it_would_ignore() -> None:
    """It takes a last frame without a word and ignores it, so it does not interpolate."""
    assert set(find_model(SMALL).features) == {Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO}


def test_the_picture_begins_the_video_of_the_small_model(
    runtime: Runtime, studio: Materials
) -> None:
    """Another picture makes another video, and words alone a third."""
    red = studio.request(
        SMALL, Feature.IMAGE_TO_VIDEO, media={"image": studio.picture(colour="red")}
    ).inputs
    blue = studio.request(
        SMALL, Feature.IMAGE_TO_VIDEO, media={"image": studio.picture(colour="blue")}
    ).inputs
    words = studio.request(SMALL, Feature.TEXT_TO_VIDEO).inputs
    made = {
        frames_of(runtime, SMALL, Feature.IMAGE_TO_VIDEO, red),
        frames_of(runtime, SMALL, Feature.IMAGE_TO_VIDEO, blue),
        frames_of(runtime, SMALL, Feature.TEXT_TO_VIDEO, words),
    }
    assert len(made) == 3


def test_both_pipelines_of_the_small_model_share_their_weights(runtime: Runtime) -> None:
    """Nothing is loaded twice, and a timestep for each token is used by both."""
    engine = engine_of(runtime, SMALL, Feature.IMAGE_TO_VIDEO)
    words, pictures = engine._pipeline, engine._pictures._pipeline
    for name in ("transformer", "text_encoder", "vae"):
        assert getattr(words, name) is getattr(pictures, name)
    assert words.config.expand_timesteps
    assert pictures.config.expand_timesteps
    assert isinstance(engine, WanTextToVideo)
