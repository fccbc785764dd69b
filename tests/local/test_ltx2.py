"""LTX-2: sound with the picture, a last frame at the last frame, the authors' schedule."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.ltx2.pipeline_ltx2_condition import calculate_shift
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    InterpolateContract,
    TextToVideoContract,
)
from tiomagic_local.engines._shared.sound import to_samples
from tiomagic_local.engines.ltx2 import LTX2, latent_position
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.weights.locate import find_weights
from tiomagic_media.decode.frames import cover, load_image

MODEL = "ltx-2"
CARD = find_model(MODEL)
TEXT, PICTURE, BETWEEN = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE
SMALLEST = {"width": 64, "height": 64, "num_frames": 9}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> LocalOptions:
    """Tiny weights."""
    weights = save(tmp_path_factory.mktemp("weights"), [MODEL])
    return LocalOptions(weights_dir=weights, device="cpu")


@pytest.fixture(scope="module")
def engine(options: LocalOptions) -> Any:
    """The engine over them."""
    return engine_of(Runtime(options), MODEL, TEXT)


class OnTinyWeights:
    """Fixtures of the contracts."""

    feature: Feature

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, self.feature, **SMALLEST)


class TestWords(OnTinyWeights, TextToVideoContract):
    feature = TEXT


class TestPicture(OnTinyWeights, ImageToVideoContract):
    feature = PICTURE


class TestFirstAndLast(OnTinyWeights, InterpolateContract):
    feature = BETWEEN


def make(
    engine: Any, feature: Feature, inputs: Any, monkeypatch: pytest.MonkeyPatch, **changes: Any
) -> tuple[Any, dict[str, Any]]:
    """Return a clip of the smallest size, and what the pipeline was called with."""
    recorder = CallRecorder(engine._pipeline)
    settings = settings_of(MODEL, feature, **{**SMALLEST, **changes})
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_pipeline", recorder)
        clip = getattr(engine, feature.value)(inputs, settings, ignore_progress, NeverCanceled())
    return clip, recorder.calls[-1]


@pytest.mark.parametrize("frames", [9, 25])
def test_there_is_sound_for_the_time_of_the_frames(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch, frames: int
) -> None:
    """Two channels at the vocoder's rate, as long as the video at its own rate."""
    inputs = studio.request(MODEL).inputs
    clip, given = make(engine, TEXT, inputs, monkeypatch, num_frames=frames, fps=12)
    assert (clip.fps, given["frame_rate"]) == (12, 12)
    assert clip.audio_rate == 24_000
    assert clip.audio.dtype == np.float32
    assert clip.audio.shape[1] == 2
    assert clip.audio.shape[0] == pytest.approx(frames / 12 * 24_000, abs=0.1 * 24_000)
    assert np.abs(clip.audio).max() > 0


def test_the_seed_decides_the_sound_too(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same seed is heard as the same sound, another one as another."""
    inputs = studio.request(MODEL).inputs
    first, again, other = (
        make(engine, TEXT, inputs, monkeypatch, seed=seed)[0].audio.tobytes() for seed in (1, 1, 2)
    )
    assert first == again != other


@pytest.mark.parametrize("frames", [9, 17, 121])
def test_the_last_picture_is_at_the_last_frame(frames: int) -> None:
    """The pipeline counts places in eights of frames; counted so, the last one is not lost."""
    from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition

    latent = latent_position(frames - 1)
    assert LTX2VideoCondition(frames=[], index=latent).index < (frames - 1) // 8 + 1
    # What the pipeline makes of it, as a frame of the video.
    assert (latent - 1) * 8 + 1 == frames - 1
    assert latent_position(0) == 0
    assert latent_position(1) == 1


def test_both_pictures_reach_the_model_at_their_frames(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positions of the last picture's tokens are those of the last frame, in seconds."""
    seen: list[dict[str, Any]] = []
    pipeline = engine._pipeline
    original = pipeline._prepare_keyframe_coords

    def spy(**given: Any) -> Any:
        seen.append(given)
        return original(**given)

    monkeypatch.setattr(pipeline, "_prepare_keyframe_coords", spy)
    inputs: Any = studio.request(MODEL, BETWEEN).inputs
    _, given = make(engine, BETWEEN, inputs, monkeypatch, num_frames=17, width=96)
    (keyframe,) = seen
    assert (keyframe["pixel_frame_idx"], keyframe["num_pixel_frames"]) == (16, 1)
    pictures = zip(given["conditions"], (inputs.first_frame, inputs.last_frame), strict=True)
    for condition, media in pictures:
        expected = np.asarray(cover(load_image(media), 96, 64))
        assert (np.asarray(condition.frames) == expected).all()


def test_the_last_frame_decides_how_the_video_ends(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another last frame changes the last frame of the video."""
    pictures = {"first_frame": studio.picture(), "last_frame": studio.picture(colour="blue")}
    other = {**pictures, "last_frame": studio.picture(colour="lime")}
    one, another = (
        make(engine, BETWEEN, studio.request(MODEL, BETWEEN, media=media).inputs, monkeypatch)[0]
        for media in (pictures, other)
    )
    assert (one.frames[-1] != another.frames[-1]).any()


def test_no_pass_of_the_transformer_is_without_effect(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A step is one pass with guidance, one without a block's attention, one of each alone."""
    passes: list[int] = []
    transformer = engine._pipeline.transformer
    assert transformer.config.perturbed_attn
    handle = transformer.register_forward_pre_hook(lambda *_call: passes.append(1))
    inputs = studio.request(MODEL).inputs
    off = {
        "guidance_scale": 1.0,
        "audio_guidance_scale": 1.0,
        "modality_scale": 1.0,
        "stg_scale": 0.0,
    }
    try:
        make(engine, TEXT, inputs, monkeypatch)
        full = len(passes)
        passes.clear()
        make(engine, TEXT, inputs, monkeypatch, **off)
    finally:
        handle.remove()
    assert (full, len(passes)) == (6, 2)


def authors_sigmas(steps: int) -> list[float]:
    """Return the levels of noise of LTX2Scheduler.execute(steps), as the authors call it.

    ltx_core/components/schedulers.py at 400fd31: no latent is given, so 4096 tokens are assumed,
    at which the shift is 2.05; then what is left is stretched to end at 0.1.
    """
    even = [1 - step / steps for step in range(steps)]
    shifted = [math.exp(2.05) / (math.exp(2.05) + (1 / sigma - 1)) for sigma in even]
    stretch = (1 - shifted[-1]) / (1 - 0.1)
    return [*(1 - (1 - sigma) / stretch for sigma in shifted), 0.0]


@pytest.mark.parametrize(("width", "height"), [(768, 512), (1216, 704), (1536, 1024)])
def test_the_schedule_is_the_authors_at_every_size(engine: Any, width: int, height: int) -> None:
    """The pipeline offers a shift that grows with the size, and the scheduler does not take it."""
    tokens = (width // 32) * (height // 32) * 16
    offered = calculate_shift(tokens, 1024, 4096, 0.95, 2.05)
    scheduler = engine._scheduler({})
    steps = 40
    even = np.linspace(1.0, 1 / steps, steps)
    scheduler.set_timesteps(steps, "cpu", sigmas=even, mu=offered)
    assert scheduler.sigmas.tolist() == pytest.approx(authors_sigmas(steps), abs=1e-3)
    # The step that the audit names: .488, and .615 to .838 with the shift by size.
    assert float(scheduler.sigmas[35]) == pytest.approx(0.488, abs=1e-3)


def test_the_pipeline_uses_that_schedule(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a whole call leaves in the scheduler, for the picture and for the sound, is it."""
    inputs = studio.request(MODEL).inputs
    make(engine, TEXT, inputs, monkeypatch, num_inference_steps=5)
    used = engine._pipeline.scheduler.sigmas.tolist()
    assert used == pytest.approx(authors_sigmas(5), abs=1e-5)


def test_a_pass_without_attention_changes_the_video(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Spatio-temporal guidance acts where its block is: block 29 is there in the real model."""
    inputs = studio.request(MODEL).inputs
    _, given = make(engine, TEXT, inputs, monkeypatch)
    assert given["spatio_temporal_guidance_blocks"] == [29]
    assert (given["stg_scale"], given["audio_stg_scale"]) == (1.0, 1.0)
    # The tiny transformer has one block.
    card = replace(CARD, options={**CARD.options, "stg_blocks": (0,)})
    monkeypatch.setattr(engine, "_card", card)
    on, off = (make(engine, TEXT, inputs, monkeypatch, stg_scale=scale)[0] for scale in (1.0, 0.0))
    assert (on.frames != off.frames).any()
    assert (on.audio != off.audio).any()


def test_the_model_is_run_as_the_version_that_it_is(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The pipeline's defaults are those of later versions; what both modalities share is given."""
    inputs = studio.request(MODEL).inputs
    changes = {"modality_scale": 2.0, "guidance_rescale": 0.5}
    _, given = make(engine, TEXT, inputs, monkeypatch, **changes)
    assert given["use_cross_timestep"] is False
    assert (given["modality_scale"], given["audio_modality_scale"]) == (2, 2)
    assert (given["guidance_rescale"], given["audio_guidance_rescale"]) == (0.5, 0.5)
    assert given["max_sequence_length"] == 1024


@pytest.mark.parametrize(
    ("name", "given", "nearest"),
    [
        ("width", 32, 64),
        ("height", 80, 64),
        ("num_frames", 120, 121),
        ("num_inference_steps", 1, 2),
    ],
)
def test_what_breaks_or_changes_in_the_pipeline_is_refused(
    name: str, given: int, nearest: int
) -> None:
    """Each with the nearest value that is made as asked."""
    with pytest.raises(ValidationError) as caught:
        CARD.schema(TEXT).validate({"prompt": "a", name: given})
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == (name, nearest)


def test_a_side_of_one_latent_breaks_the_decoder(
    engine: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Why 32 is refused although it is a multiple of 32: the decoder mirrors its edges."""
    with pytest.raises(GenerationError, match="Padding size"):
        make(engine, TEXT, studio.request(MODEL).inputs, monkeypatch, width=32)


def test_sound_that_is_no_numbers_is_an_error() -> None:
    """And not silence."""
    with pytest.raises(GenerationError) as caught:
        to_samples(torch.full((2, 4), torch.nan))
    assert caught.value.code == "not_finite"
    assert to_samples(torch.tensor([[2.0, 0.0], [-2.0, 0.5]])).tolist() == [[1, -1], [0, 0.5]]


def test_it_runs_in_bf16(options: LocalOptions, studio: Materials) -> None:
    """As on a GPU: frames, and sound in numbers that an encoder takes."""
    weights = find_weights(CARD, options, pipeline=LTX2.pipeline, progress=ignore_progress)
    pipeline = load_pipeline(
        weights,
        pipeline=LTX2.pipeline,
        fp32=LTX2.fp32,
        dtype=torch.bfloat16,
        device=torch.device("cpu"),
        plan=MemoryPlan.RESIDENT,
    )
    inputs: Any = studio.request(MODEL, PICTURE).inputs
    settings = settings_of(MODEL, PICTURE, **SMALLEST)
    made = LTX2(pipeline, CARD).image_to_video(inputs, settings, ignore_progress, NeverCanceled())
    assert made.frames.shape == (9, 64, 64, 3)
    assert np.asarray(made.audio).dtype == np.float32
