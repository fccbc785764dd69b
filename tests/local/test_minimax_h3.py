"""MiniMax H3: two schedules in one run, pictures at either end, sound, and no torchvision."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.modular_pipelines.minimax_h3.before_denoise import patchify_video_latents
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature, InterpolateInputs
from tiomagic_domain.ports.rehearsal import CheckOutcome
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    InterpolateContract,
    TextToVideoContract,
)
from tiomagic_local.engines._shared.pixels import to_pixels
from tiomagic_local.engines.minimax_h3 import MiniMaxH3, PictureProcessor
from tiomagic_local.modular.placement import networks, offload_blocks, offload_whole
from tiomagic_local.options import LocalOptions
from tiomagic_local.rehearsal.file_checks import FileChecks
from tiomagic_local.runtime.pipeline_cache import Runtime

MODEL = "minimax-h3"
TEXT, PICTURE, BETWEEN = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE
SMALLEST = {"width": 64, "height": 32, "num_frames": 124}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny model."""
    weights = save(tmp_path_factory.mktemp("weights"), [MODEL])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


def settings_for(feature: Feature, **given: Any) -> dict[str, Any]:
    """Return the settings of the smallest call."""
    return settings_of(MODEL, feature, **{**SMALLEST, **given})


class OnTinyH3:
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
        return settings_for(self.feature, width=32)


class TestWords(OnTinyH3, TextToVideoContract):
    feature = TEXT


class TestPicture(OnTinyH3, ImageToVideoContract):
    feature = PICTURE


class TestBetween(OnTinyH3, InterpolateContract):
    feature = BETWEEN


class TestLastAlone(OnTinyH3, InterpolateContract):
    feature = BETWEEN

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return InterpolateInputs(prompt="a fox", last_frame=studio.picture())


def make(engine: Any, feature: Feature, inputs: Any, **given: Any) -> Any:
    """Return a clip of the smallest call."""
    call = getattr(engine, feature.value)
    return call(inputs, settings_for(feature, **given), ignore_progress, NeverCanceled())


def test_it_is_what_the_pipeline_of_diffusers_makes(runtime: Runtime, studio: Materials) -> None:
    """Frames and sound, from a first picture and a last one; theirs counts the schedule's ends."""
    engine, inputs = engine_of(runtime, MODEL, BETWEEN), studio.request(MODEL, BETWEEN).inputs
    ours = make(engine, BETWEEN, inputs)
    settings = settings_for(BETWEEN)
    engine._set_up(settings)
    theirs = engine._pipeline(
        prompt=inputs.prompt,
        image=engine._picture(inputs.first_frame, settings),
        last_image=engine._picture(inputs.last_frame, settings),
        **SMALLEST,
        num_inference_steps=settings["num_inference_steps"] + 1,
        generator=torch.Generator("cpu").manual_seed(settings["seed"]),
        output_type="pt",
        output=["videos", "audio", "sampling_rate"],
    )
    assert np.array_equal(ours.frames, to_pixels(theirs["videos"][0]))
    assert np.array_equal(ours.audio, theirs["audio"][0].clamp(-1, 1).T.numpy())
    assert ours.audio_rate == theirs["sampling_rate"] == 32_000


def test_each_picture_and_the_words_decide_the_video(runtime: Runtime, studio: Materials) -> None:
    """None of them is dropped on the way, and the seed is heard as well."""
    engine = engine_of(runtime, MODEL, BETWEEN)
    red, blue = studio.picture(colour="red"), studio.picture(colour="blue")
    calls = [
        InterpolateInputs(prompt=prompt, first_frame=first, last_frame=last)
        for prompt in ("a fox", "a dog")
        for first, last in ((red, blue), (blue, red), (red, red), (None, red))
    ]
    videos = {make(engine, BETWEEN, inputs).frames.tobytes() for inputs in calls}
    assert len(videos) == len(calls)
    sounds = {make(engine, BETWEEN, calls[0], seed=seed).audio.tobytes() for seed in (1, 2, 1)}
    assert len(sounds) == 2


def test_both_schedules_are_those_of_the_authors(runtime: Runtime, studio: Materials) -> None:
    """New ones for each call; the picture's shift is a setting, and the sound keeps its own."""
    engine, inputs = engine_of(runtime, MODEL, TEXT), studio.request(MODEL).inputs
    seen = []
    for shift in (12.0, 5.0):
        make(engine, TEXT, inputs, flow_shift=shift)
        pipeline = engine._pipeline
        seen += [pipeline.scheduler, pipeline.audio_scheduler]
        assert (pipeline.scheduler.shift, pipeline.audio_scheduler.shift) == (shift, 3.0)
    assert len({id(scheduler) for scheduler in seen}) == 4
    assert find_model(MODEL).schema(TEXT)["flow_shift"].default == 12.0


def test_all_that_takes_long_is_told(runtime: Runtime, studio: Materials) -> None:
    """The words, the picture, each step, and each piece of each tile of the decoder."""
    told: list[Progress] = []
    engine, inputs = engine_of(runtime, MODEL, PICTURE), studio.request(MODEL, PICTURE).inputs
    settings = settings_for(PICTURE, width=320, num_inference_steps=3)
    engine.image_to_video(inputs, settings, told.append, NeverCanceled())
    assert {Phase.PREPARING, Phase.ENCODING} <= {moment.phase for moment in told}
    steps = [(m.step, m.steps) for m in told if m.phase is Phase.DENOISING]
    assert steps == [(0, 3), (1, 3), (2, 3), (3, 3)]
    decoding = [(m.step, m.steps) for m in told if m.phase is Phase.DECODING]
    assert decoding == [(step, 14) for step in range(14)]


def test_a_step_is_unpacked_for_a_preview(runtime: Runtime) -> None:
    """The other way of how the library packs latents into rows."""
    engine = engine_of(runtime, MODEL, TEXT)
    latents = torch.arange(4 * 3 * 2 * 4, dtype=torch.float32).reshape(1, 4, 3, 2, 4)
    rows = patchify_video_latents(latents, (1, 2, 2))
    assert torch.equal(engine._latent_frames(rows, settings_for(TEXT)), latents[0])


def test_a_prompt_that_is_too_long_is_cut(runtime: Runtime, studio: Materials) -> None:
    """The pipeline would read all of it; the record says what was not read."""
    engine = engine_of(runtime, MODEL, TEXT)
    recorder = CallRecorder(engine._pipeline)
    limit = find_model(MODEL).prompt_tokens
    prompt = "fox " * (limit // 4) + "and a hen"
    clip = make(
        MiniMaxH3(recorder, engine._card), TEXT, studio.request(MODEL, TEXT, prompt=prompt).inputs
    )
    assert recorder.calls[0]["prompt"] == prompt[:limit]
    assert (clip.facts["prompt_tokens_read"], clip.facts["prompt_cut"]) == (limit, "and a hen")


def test_only_what_it_is_made_of_is_loaded(runtime: Runtime) -> None:
    """The transformer for references stays out, and pictures are prepared without torchvision."""
    pipeline = engine_of(runtime, MODEL, TEXT)._pipeline
    assert pipeline.null_component_names == ["transformer_ref"]
    assert set(networks(pipeline)) == {"vae", "audio_vae", "transformer", "text_encoder"}
    assert isinstance(pipeline.processor, PictureProcessor)
    ids = pipeline.tokenizer("<|image_pad|>a<|video_pad|>")["input_ids"]
    assert pipeline.processor.create_mm_token_type_ids([ids]) == [[1, 0, 2]]


def test_the_sound_stays_where_layers_cannot_move(
    runtime: Runtime, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The library refuses its VAE; with hooks on the rest the numbers stay."""
    engine, inputs = engine_of(runtime, MODEL, PICTURE), studio.request(MODEL, PICTURE).inputs
    plain = make(engine, PICTURE, inputs)
    moved = []
    audio_vae = engine._pipeline.audio_vae
    monkeypatch.setattr(audio_vae, "to", moved.append)
    offload_blocks(engine._pipeline, CPU)
    assert moved == [CPU]
    assert not any(hasattr(part, "_diffusers_hook") for part in audio_vae.modules())
    again = make(engine, PICTURE, inputs)
    assert np.array_equal(again.frames, plain.frames)
    assert np.array_equal(again.audio, plain.audio)
    runtime.unload()


def test_whole_networks_can_move(runtime: Runtime, studio: Materials) -> None:
    """The text encoder too, of which the pipeline calls a part."""
    engine, inputs = engine_of(runtime, MODEL, PICTURE), studio.request(MODEL, PICTURE).inputs
    plain = make(engine, PICTURE, inputs)
    offload_whole(engine._pipeline, CPU)
    assert make(engine, PICTURE, inputs).frames.tobytes() == plain.frames.tobytes()
    runtime.unload()


@pytest.mark.parametrize(
    ("given", "nearest"),
    [({"num_frames": 107}, "124"), ({"num_frames": 130}, "124"), ({"width": 720}, "704")],
)
def test_what_the_pipeline_would_refuse_or_round(given: dict[str, int], nearest: str) -> None:
    """Lengths of 17n+5 frames from 5 to 15 seconds, and sides of 32 pixels' multiples."""
    with pytest.raises(ValidationError, match=nearest):
        find_model(MODEL).schema(TEXT).validate({"prompt": "a fox", **given})


def test_a_rehearsal_misses_nothing_that_is_not_used(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """Of a folder without the weights for references, as they are not downloaded."""
    weights = save(tmp_path_factory.mktemp("weights"), [MODEL])
    looks = FileChecks(
        find_model(MODEL), LocalOptions(weights_dir=weights), pipeline=MiniMaxH3.pipeline
    )
    outcomes = {check.part: check.outcome for check in looks.checks()}
    assert outcomes == {"files": CheckOutcome.OK}
