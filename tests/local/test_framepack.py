"""FramePack: sections of 36 frames, an end that is never cut off, steps told over all sections."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationCanceledError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    CancelAt,
    ImageToVideoContract,
    InterpolateContract,
    bytes_of,
)
from tiomagic_local.engines.framepack import FramePack
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image

MODEL = "framepack-i2v-hy"
CARD = find_model(MODEL)
SMALLEST = {"width": 16, "height": 16, "num_frames": 37}


class OnTinyFramePack:
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
        return settings_of(MODEL, self.feature, **SMALLEST)


class TestPicture(OnTinyFramePack, ImageToVideoContract):
    feature = Feature.IMAGE_TO_VIDEO


class TestFirstAndLast(OnTinyFramePack, InterpolateContract):
    feature = Feature.INTERPOLATE


def interpolate(
    engine: Any, inputs: Any, *, progress: Any = ignore_progress, cancel: Any = None, **changes: Any
) -> Any:
    """Return a clip of one or more sections between two pictures."""
    settings = settings_of(MODEL, Feature.INTERPOLATE, **{**SMALLEST, **changes})
    return engine.interpolate(inputs, settings, progress, cancel or NeverCanceled())


@pytest.fixture
def engine(runtime: Runtime) -> Any:
    """The loaded engine."""
    return engine_of(runtime, MODEL, Feature.INTERPOLATE)


@pytest.fixture
def inputs(studio: Materials) -> Any:
    """A first and a last frame."""
    return studio.request(MODEL, Feature.INTERPOLATE).inputs


@pytest.mark.parametrize("frames", [37, 73, 109, 181])
def test_the_length_is_what_was_asked_for(engine: Any, inputs: Any, frames: int) -> None:
    """Whatever number of sections a video has, the pipeline makes it whole and nothing is cut."""
    clip = interpolate(engine, inputs, num_frames=frames, num_inference_steps=1)
    assert clip.frames.shape == (frames, 16, 16, 3)


@pytest.mark.parametrize(("given", "nearest"), [(36, 37), (81, 73), (129, 145), (38, 37)])
def test_lengths_between_the_sections_are_refused(given: int, nearest: int) -> None:
    """The pipeline would round them up silently; the schema names the nearest that is made."""
    schema = CARD.schema(Feature.INTERPOLATE)
    arguments = {"prompt": "a", "first_frame": "a.png", "last_frame": "b.png"}
    with pytest.raises(ValidationError) as caught:
        schema.validate({**arguments, "num_frames": given})
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == ("num_frames", nearest)


def test_the_last_frame_decides_how_the_video_ends(
    engine: Any, inputs: Any, studio: Materials
) -> None:
    """Another last frame changes the end of the video, also when it has several sections."""
    other = studio.request(
        MODEL,
        Feature.INTERPOLATE,
        media={"first_frame": inputs.first_frame, "last_frame": studio.picture(colour="lime")},
    ).inputs
    one = interpolate(engine, inputs, num_frames=73)
    another = interpolate(engine, other, num_frames=73)
    assert (np.asarray(one.frames[-1]) != np.asarray(another.frames[-1])).any()


def test_first_and_last_are_not_mixed_up(engine: Any, inputs: Any) -> None:
    """``image`` is the first frame and ``last_image`` the last, in the size of the video."""
    recorder = CallRecorder(engine._pipeline)
    interpolate(FramePack(recorder, CARD), inputs, num_frames=37, width=48)
    (given,) = recorder.calls
    for name, media in (("image", inputs.first_frame), ("last_image", inputs.last_frame)):
        expected = np.asarray(cover(load_image(media), 48, 16))
        assert (np.asarray(given[name]) == expected).all()
    # The 33 frames that the pipeline counts for a section are 37 in the video.
    assert given["num_frames"] == 33


def test_steps_are_counted_over_all_sections(engine: Any, inputs: Any) -> None:
    """The pipeline starts at step 0 again in each section; the progress never goes back."""
    told: list[Progress] = []
    interpolate(engine, inputs, num_frames=109, progress=told.append)
    steps = [(m.step, m.steps) for m in told if m.phase is Phase.DENOISING]
    assert steps == [(step, 6) for step in range(7)]


def test_a_cancel_in_the_second_section_leaves_nothing(engine: Any, inputs: Any) -> None:
    """A run that was stopped between two sections is forgotten: the next is bit for bit itself."""
    expected = bytes_of(interpolate(engine, inputs, num_frames=73)).tobytes()
    asked = CancelAt(10_000)
    interpolate(engine, inputs, num_frames=73, cancel=asked)
    late = CancelAt(asked.asked - 2)
    with pytest.raises(GenerationCanceledError):
        interpolate(engine, inputs, num_frames=73, cancel=late)
    assert bytes_of(interpolate(engine, inputs, num_frames=73)).tobytes() == expected


def test_the_negative_prompt_needs_true_guidance(engine: Any, inputs: Any) -> None:
    """``guidance_scale`` is an input of the model; only ``true_cfg_scale`` reads the negative."""

    def make(**changes: Any) -> bytes:
        clip = interpolate(engine, inputs, num_frames=37, **changes)
        return bytes_of(clip).tobytes()

    plain = make(guidance_scale=9.0)
    assert make(guidance_scale=9.0, negative_prompt="blur") == plain
    assert make(guidance_scale=1.0) != plain
    assert make(true_cfg_scale=4.0, negative_prompt="blur") != make(
        true_cfg_scale=4.0, negative_prompt="noise"
    )


@pytest.mark.parametrize(
    ("width", "height", "shift"),
    # calculate_flux_mu of the authors (k_diffusion_hunyuan.py at 97fe5db) for 9 latent frames:
    # mu = 0.5 + 0.65 * (tokens - 256) / 3840, at most ln 7.
    [(640, 640, 7.0), (960, 416, 7.0), (320, 320, 3.0), (256, 256, 2.328)],
)
def test_small_sizes_have_the_authors_shift(
    runtime: Runtime, width: int, height: int, shift: float
) -> None:
    """The repository has 7 for every size, as the authors have from about 500x500 on."""
    engine = engine_of(runtime, MODEL, Feature.IMAGE_TO_VIDEO)
    scheduler = engine._scheduler({"width": width, "height": height})
    tokens = 9 * (width // 8) * (height // 8) // 4
    mu = min(0.5 + 0.65 * (tokens - 256) / 3840, math.log(7))
    assert scheduler.config.shift == pytest.approx(math.exp(mu))
    assert scheduler.config.shift == pytest.approx(shift, rel=0.1)


@pytest.mark.parametrize("size", [(416, 960), (480, 832), (608, 640), (704, 544), (720, 1280)])
def test_the_authors_sizes_are_legal_and_that_of_old_scripts(size: tuple[int, int]) -> None:
    """diffusers_helper/bucket_tools.py, and the documented default of tiomagic 1.0.0."""
    height, width = size
    schema = CARD.schema(Feature.IMAGE_TO_VIDEO)
    call = {"prompt": "a", "image": "a.png", "width": width, "height": height}
    taken = schema.validate(call)
    assert (taken["width"], taken["height"]) == (width, height)
    with pytest.raises(ValidationError):
        schema.validate({**call, "width": width + 8})
