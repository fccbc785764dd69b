"""Models that go on with the motion of a video: what they get, and that they begin with it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import GenerationCanceledError, GenerationError
from tiomagic_domain.features import Feature, ImageToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import CancelAt
from tiomagic_local.engines.wan_vace import GREY
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.doubles import leave_out_doubles
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import load_video

VACE = "wan2.1-vace-1.3b"
SKYREELS, LTX = "skyreels-v2-df-1.3b-540p", "ltx-video-0.9.8-distilled"
PUSA = "pusa-v1"
LENGTHS = {VACE: (5, 13), SKYREELS: (5, 13), LTX: (9, 25), PUSA: (5, 13)}
"""Frames of the context and of the clip, the shortest of more than one latent frame each."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny models."""
    weights = save(tmp_path_factory.mktemp("weights"), list(LENGTHS))
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


def inputs_of(studio: Materials, model: str) -> ImageToVideoInputs:
    """Return a call with the end of a video."""
    context = studio.video(LENGTHS[model][0], size=(32, 32))
    return ImageToVideoInputs(prompt="a fox", image=studio.picture(), context=context)


def run(engine: Any, inputs: ImageToVideoInputs, model: str, **changes: Any) -> Any:
    """Return the frames of a clip."""
    count = LENGTHS[model][1]
    settings = settings_of(model, Feature.IMAGE_TO_VIDEO, num_frames=count, **changes)
    clip = engine.image_to_video(inputs, settings, ignore_progress, NeverCanceled())
    assert clip.frames.shape == (count, 32, 32, 3)
    return np.asarray(clip.frames)


def arguments_of(engine: Any, inputs: ImageToVideoInputs, model: str) -> Any:
    """Run a model and return the arguments that its pipeline got."""
    recorder = CallRecorder(engine._pipeline)
    engine._pipeline = recorder
    try:
        run(engine, inputs, model)
    finally:
        engine._pipeline = recorder.__dict__["pipeline"]
    (given,) = recorder.calls
    return given


def test_the_models_of_the_catalogue_that_take_a_clip_are_these() -> None:
    """Each of them is run below, but for those that have the engine and the length of another."""
    able = [card for card in models().values() if card.context_frames > 1]
    able = [card for card in able if Feature.IMAGE_TO_VIDEO in card.features]
    assert {card.engine for card in able} == {models()[name].engine for name in LENGTHS}
    for card in able:
        frames = card.schema(Feature.IMAGE_TO_VIDEO)["num_frames"]
        assert frames.problem(card.context_frames) is None


def test_skyreels_begins_with_the_end_of_the_video(runtime: Runtime, studio: Materials) -> None:
    """Whatever the seed; what follows is made, and a seed repeats it."""
    engine = engine_of(runtime, SKYREELS, Feature.IMAGE_TO_VIDEO)
    inputs = inputs_of(studio, SKYREELS)
    first, other = (run(engine, inputs, SKYREELS, seed=seed) for seed in (1, 2))
    again = run(engine, inputs, SKYREELS, seed=1)
    assert (first == again).all()
    near = np.abs(first[:5].astype(int) - other[:5]).mean()
    far = np.abs(first[5:].astype(int) - other[5:]).mean()
    assert near < far / 4


def test_ltx_gets_the_end_as_a_condition_at_the_beginning(
    runtime: Runtime, studio: Materials
) -> None:
    """All of its frames, in place of the first latent ones."""
    engine, inputs = engine_of(runtime, LTX, Feature.IMAGE_TO_VIDEO), inputs_of(studio, LTX)
    given = arguments_of(engine, inputs, LTX)
    (condition,) = given["conditions"]
    assert condition.frame_index == 0
    assert inputs.context is not None
    expected = load_video(inputs.context, size=(32, 32))
    assert (np.stack([np.asarray(frame) for frame in condition.video]) == expected).all()


def test_vace_gets_the_end_where_its_mask_keeps_it(runtime: Runtime, studio: Materials) -> None:
    """Black for each of its frames, then grey and white, as for a picture."""
    engine, inputs = engine_of(runtime, VACE, Feature.IMAGE_TO_VIDEO), inputs_of(studio, VACE)
    given = arguments_of(engine, inputs, VACE)
    assert inputs.context is not None
    expected = load_video(inputs.context, size=(32, 32))
    assert (np.stack([np.asarray(frame) for frame in given["video"][:5]]) == expected).all()
    assert all((np.asarray(frame) == GREY).all() for frame in given["video"][5:])
    assert [int(np.asarray(mask).max()) for mask in given["mask"]] == [0] * 5 + [255] * 8


@pytest.mark.parametrize("model", [SKYREELS, LTX, PUSA])
def test_its_motion_counts(runtime: Runtime, studio: Materials, model: str) -> None:
    """The same last frame after other ones gives another clip."""
    engine, inputs = engine_of(runtime, model, Feature.IMAGE_TO_VIDEO), inputs_of(studio, model)
    assert inputs.context is not None
    frames = load_video(inputs.context)
    still = studio.film(np.repeat(frames[-1:], len(frames), axis=0))
    made, other = run(engine, inputs, model), run(engine, replace(inputs, context=still), model)
    assert (made != other).any()


@pytest.mark.parametrize("model", list(LENGTHS))
def test_a_cancel_in_the_middle_leaves_the_next_continuation_alone(
    runtime: Runtime, studio: Materials, model: str
) -> None:
    """An identical run afterwards is the same to the last bit."""
    engine, inputs = engine_of(runtime, model, Feature.IMAGE_TO_VIDEO), inputs_of(studio, model)
    settings = settings_of(model, Feature.IMAGE_TO_VIDEO, num_frames=LENGTHS[model][1])
    asked = CancelAt(10_000)
    expected = engine.image_to_video(inputs, settings, ignore_progress, asked).frames
    middle = CancelAt(asked.asked // 2 + 1)
    with pytest.raises(GenerationCanceledError):
        engine.image_to_video(inputs, settings, ignore_progress, middle)
    assert 1 < middle.asked < asked.asked
    again = engine.image_to_video(inputs, settings, ignore_progress, NeverCanceled()).frames
    assert np.array_equal(expected, again)


def test_pusa_has_the_authors_noise_for_each_latent_frame(
    runtime: Runtime, studio: Materials
) -> None:
    """The first one is clean, and 30 % of the second one's noise is there; the others have all."""
    engine, inputs = engine_of(runtime, PUSA, Feature.IMAGE_TO_VIDEO), inputs_of(studio, PUSA)
    arguments_of(engine, inputs, PUSA)
    assert engine._pipeline.scheduler.multipliers.tolist() == pytest.approx([0.0, 0.3, 1.0, 1.0])
    assert engine.warnings(inputs, {"noise_multiplier": 0.2}) == []
    assert "0.0, 0.3" in engine.warnings(inputs, {"noise_multiplier": 0.7})[0]


class TestDoubles:
    """What is left out of a clip before it is written."""

    clip = Clip(
        frames=np.arange(9, dtype=np.uint8)[:, None, None, None].repeat(3, axis=3),
        fps=8.0,
        audio=np.arange(90, dtype=np.float32)[:, None] / 100,
        audio_rate=80,
    )

    def first_levels(self, clip: Any) -> list[int]:
        """Return the grey of each frame."""
        return [int(frame[0, 0, 0]) for frame in clip.frames]

    def test_a_plain_clip_stays_as_it_is(self, studio: Materials) -> None:
        """Nothing is copied."""
        assert leave_out_doubles(self.clip, studio.request()) is self.clip

    def test_the_end_of_the_old_video_is_left_out_with_its_sound(self, studio: Materials) -> None:
        """Five frames of eight a second are fifty samples of eighty."""
        media = {"image": studio.picture(), "continued_video": studio.video(5)}
        request = studio.request(VACE, Feature.IMAGE_TO_VIDEO, media=media)
        clip = leave_out_doubles(self.clip, request)
        assert self.first_levels(clip) == [5, 6, 7, 8]
        assert clip.facts == {"left_out_frames": 5}
        assert clip.audio is not None
        assert float(np.asarray(clip.audio)[0, 0]) == pytest.approx(0.5)
        assert clip.audio.shape == (40, 1)

    @pytest.mark.parametrize(
        ("model", "levels"), [(VACE, list(range(8))), (SKYREELS, list(range(9)))]
    )
    def test_a_loop_shows_its_first_picture_once(
        self, studio: Materials, model: str, levels: list[int]
    ) -> None:
        """SkyReels ends before its last picture, so that nothing is doubled."""
        request = studio.request(model, Feature.INTERPOLATE, loop=True)
        clip = leave_out_doubles(self.clip, request)
        assert self.first_levels(clip) == levels
        seam: Any = clip.facts["seam"]
        assert (seam["frame"], seam["rmse"], seam["ratio"]) == (0, levels[-1], levels[-1])

    def test_a_clip_without_a_new_frame_is_an_error(self, studio: Materials) -> None:
        """The model has made what was there."""
        media = {"image": studio.picture(), "continued_video": studio.video(9)}
        request = studio.request(VACE, Feature.IMAGE_TO_VIDEO, media=media)
        with pytest.raises(GenerationError, match="first 9"):
            leave_out_doubles(self.clip, request)
