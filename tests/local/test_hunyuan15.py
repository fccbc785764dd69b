"""HunyuanVideo 1.5: steps told without a callback, guidance in the pipeline, the size asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    TextToVideoContract,
    bytes_of,
)
from tiomagic_local.engines.hunyuan15_i2v import Hunyuan15ImageToVideo
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image

TEXT, IMAGE = "hunyuanvideo-1.5", "hunyuanvideo-1.5-image-to-video"


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with both tiny models."""
    weights = save(tmp_path_factory.mktemp("weights"), [TEXT, IMAGE])
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
        return settings_of(self.model, self.feature, guidance_scale=1.0)


class TestWords(OnTinyWeights, TextToVideoContract):
    model, feature = TEXT, Feature.TEXT_TO_VIDEO


class TestPicture(OnTinyWeights, ImageToVideoContract):
    model, feature = IMAGE, Feature.IMAGE_TO_VIDEO


def words(
    runtime: Runtime, studio: Materials, *, told: Any = ignore_progress, **changes: Any
) -> Any:
    """Return the pixels of a video from words."""
    inputs: Any = studio.request(TEXT).inputs
    settings = settings_of(TEXT, Feature.TEXT_TO_VIDEO, **changes)
    engine = engine_of(runtime, TEXT, Feature.TEXT_TO_VIDEO)
    return engine.text_to_video(inputs, settings, told, NeverCanceled())


def test_guidance_is_set_in_the_pipeline(runtime: Runtime, studio: Materials) -> None:
    """Guidance and the negative prompt act, and at 1 the negative prompt costs nothing."""
    plain, strong, away = (
        bytes_of(words(runtime, studio, **given)).tobytes()
        for given in (
            {"guidance_scale": 1.0},
            {"guidance_scale": 9.0},
            {"guidance_scale": 9.0, "negative_prompt": 'a sign "NO"'},
        )
    )
    assert len({plain, strong, away}) == 3
    calls = []
    pipeline = engine_of(runtime, TEXT, Feature.TEXT_TO_VIDEO)._pipeline
    handle = pipeline.transformer.register_forward_pre_hook(lambda *_call: calls.append(1))
    try:
        words(runtime, studio, guidance_scale=1.0)
    finally:
        handle.remove()
    assert len(calls) == 2


def test_the_shift_reaches_the_scheduler(runtime: Runtime, studio: Materials) -> None:
    """``flow_shift`` is what the family calls ``shift``, and it changes the video."""
    one = bytes_of(words(runtime, studio, guidance_scale=1.0, flow_shift=5.0)).tobytes()
    other = bytes_of(words(runtime, studio, guidance_scale=1.0, flow_shift=9.0)).tobytes()
    assert one != other
    pipeline = engine_of(runtime, TEXT, Feature.TEXT_TO_VIDEO)._pipeline
    assert pipeline.scheduler.config.shift == 9.0


def test_steps_are_told_without_a_callback(runtime: Runtime, studio: Materials) -> None:
    """Its scheduler tells the steps, one each however often the model is asked in it."""
    told: list[Progress] = []
    words(runtime, studio, told=told.append, guidance_scale=6.0, num_inference_steps=3)
    steps = [(m.step, m.steps) for m in told if m.phase is Phase.DENOISING]
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    # Nothing of it stays on the scheduler.
    pipeline = engine_of(runtime, TEXT, Feature.TEXT_TO_VIDEO)._pipeline
    assert "step" not in vars(pipeline.scheduler)


@pytest.mark.parametrize("size", [(48, 32), (32, 48), (64, 32)])
def test_the_size_is_that_of_the_settings(
    runtime: Runtime, studio: Materials, size: tuple[int, int]
) -> None:
    """The pipeline would take a size of its own from the picture's shape; it takes ours."""
    engine = engine_of(runtime, IMAGE, Feature.IMAGE_TO_VIDEO)
    recorder = CallRecorder(engine._pipeline)
    inputs: Any = studio.request(IMAGE, Feature.IMAGE_TO_VIDEO).inputs
    wide, tall = size
    settings = settings_of(
        IMAGE, Feature.IMAGE_TO_VIDEO, width=wide, height=tall, guidance_scale=1.0
    )
    clip = Hunyuan15ImageToVideo(recorder, find_model(IMAGE)).image_to_video(
        inputs, settings, ignore_progress, NeverCanceled()
    )
    assert clip.frames.shape == (5, tall, wide, 3)
    (given,) = recorder.calls
    assert (np.asarray(given["image"]) == np.asarray(cover(load_image(inputs.image), *size))).all()


def test_the_licence_says_where_it_does_not_hold() -> None:
    """Whoever reads the card learns that some countries are excluded."""
    for name in (TEXT, IMAGE, "framepack-i2v-hy"):
        licence = find_model(name).licence
        assert "EU" in licence
        assert "South Korea" in licence
