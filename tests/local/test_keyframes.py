"""Pictures between the ends reach each model at their own frames."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.local.materials import CallRecorder, Materials, engine_of
from tests.local.test_made_by_loras import last_latents, pusa_with_a_trained_vae
from tests.tiny import save

from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import GenerationCanceledError
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_local.engines.pusa import multipliers
from tiomagic_local.engines.wan_vace import GREY
from tiomagic_local.memory.demand import demand_of
from tiomagic_local.options import LocalOptions
from tiomagic_local.preflight.run_time import count_operations
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image

BETWEEN = Feature.INTERPOLATE
VACE, LTX, PUSA = "wan2.1-vace-1.3b", "ltx-video-0.9.8-distilled", "pusa-v1"
SKYREELS, LTX2 = "skyreels-v2-df-1.3b-540p", "ltx-2"
STEPS = {VACE: 4, LTX: 8, PUSA: 4, SKYREELS: 4, LTX2: 8}
"""Frames from one place of a picture to the next, by the models with an engine of their own."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny models."""
    weights = save(tmp_path_factory.mktemp("weights"), list(STEPS))
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


def ask(studio: Materials, model: str, colour: str, **changes: Any) -> Request:
    """Return a request with one picture between, in the middle of the smallest video."""
    step = STEPS[model]
    ends = {"first_frame": studio.picture(), "last_frame": studio.picture(colour="blue")}
    between = {step: studio.picture(colour=colour)}
    return small(studio, model, ends, between, **changes)


def small(studio: Materials, model: str, ends: Any, between: Any = (), **changes: Any) -> Request:
    """Return a request of the smallest size and three places of a picture."""
    size = {"width": 64, "height": 64} if model == LTX2 else {}
    length = {"num_frames": 2 * STEPS[model] + 1}
    return studio.request(
        model, BETWEEN, media=ends, keyframes=dict(between), **size, **length, **changes
    )


class StopAtTheFirstStep:
    """Asks a run to stop once it has made a step."""

    is_requested = False

    def __call__(self, progress: Progress) -> None:
        """Look at how far it is."""
        self.is_requested = self.is_requested or progress.phase is Phase.DENOISING

    def raise_if_canceled(self) -> None:
        """Stop the run."""
        if self.is_requested:
            raise GenerationCanceledError("enough")


@pytest.mark.parametrize("model", STEPS)
def test_a_picture_between_is_heard(runtime: Runtime, studio: Materials, model: str) -> None:
    """Another one makes another video, the same one the same, also after a run that was stopped."""
    # Tiny random weights hear a picture faintly; guidance makes it more than a rounding.
    loud = {} if model == LTX else {"guidance_scale": 20.0}
    red, green = (ask(studio, model, colour, **loud) for colour in ("red", "lime"))
    engine = engine_of(runtime, model, BETWEEN)

    def make(request: Request, progress: Any = ignore_progress, cancel: Any = None) -> bytes:
        cancel = cancel or NeverCanceled()
        clip = engine.interpolate(request.inputs, request.settings, progress, cancel)
        return np.asarray(clip.frames).tobytes()

    first, other = make(red), make(green)
    # The blocks of a tiny VACE begin at zero: what it is given is looked at below.
    assert (first == other) == (model == VACE)
    stop = StopAtTheFirstStep()
    with pytest.raises(GenerationCanceledError):
        make(green, stop, stop)
    assert make(red) == first


def recorded(runtime: Runtime, request: Request) -> dict[str, Any]:
    """Return what the pipeline of a request is called with."""
    engine = engine_of(runtime, request.card.name, BETWEEN)
    target = engine._pictures or engine
    recorder = CallRecorder(target._pipeline)
    target._pipeline = recorder
    try:
        engine.interpolate(request.inputs, request.settings, ignore_progress, NeverCanceled())
    finally:
        target._pipeline = recorder.__dict__["pipeline"]
    (arguments,) = recorder.calls
    assert "keyframes" not in arguments
    return arguments


def fitted(request: Request, name: str) -> Any:
    """Return a picture in the size of the video."""
    return np.asarray(cover(load_image(request.media[name]), 32, 32))


@pytest.mark.parametrize("model", [LTX, LTX2, PUSA])
def test_a_later_picture_needs_no_first(runtime: Runtime, studio: Materials, model: str) -> None:
    """The last one alone, and one between alone, are heard, and nothing else is known."""
    loud = {} if model == LTX else {"guidance_scale": 20.0}
    engine, step = engine_of(runtime, model, BETWEEN), STEPS[model]

    def make(ends: Any, between: Any = ()) -> bytes:
        request = small(studio, model, ends, between, **loud)
        assert request.inputs.first_frame is None
        clip = engine.interpolate(
            request.inputs, request.settings, ignore_progress, NeverCanceled()
        )
        assert clip.frames.shape[0] == 2 * step + 1
        return np.asarray(clip.frames).tobytes()

    red, lime = (studio.picture(colour=colour) for colour in ("red", "lime"))
    alone = [make({"last_frame": one}) for one in (red, lime, red)]
    between = [make({}, {step: one}) for one in (red, lime)]
    assert alone[0] == alone[2]
    assert alone[0] != alone[1]
    assert between[0] != between[1]


def test_vace_keeps_the_last_one_alone(runtime: Runtime, studio: Materials) -> None:
    """All other frames are grey, and made."""
    request = small(studio, VACE, {"last_frame": studio.picture(colour="red")})
    given = recorded(runtime, request)
    kept = [index for index, mask in enumerate(given["mask"]) if not np.asarray(mask).any()]
    assert kept == [8]
    assert (np.asarray(given["video"][8]) == fitted(request, "last_frame")).all()
    assert (np.asarray(given["video"][0]) == GREY).all()


def test_ltx_begins_with_no_condition(runtime: Runtime, studio: Materials) -> None:
    """The only one is at the last frame."""
    request = small(studio, LTX, {"last_frame": studio.picture(colour="red")})
    (condition,) = recorded(runtime, request)["conditions"]
    assert condition.frame_index == 16


def test_pusa_makes_the_beginning_from_noise(studio: Materials) -> None:
    """The last latent frame is the picture; the first is pure noise at the start."""
    engine = pusa_with_a_trained_vae()
    quiet = {"noise_multiplier": 0.0, "last_noise_multiplier": 0.0}
    request = small(studio, PUSA, {"last_frame": studio.picture(colour="red")}, **quiet)
    assert multipliers(request.settings).tolist() == [1.0, 1.0, 0.0]
    with last_latents(engine) as seen:
        engine.interpolate(request.inputs, request.settings, ignore_progress, NeverCanceled())
    known = engine._latent([engine._picture(request.media["last_frame"], request.settings)])
    assert torch.allclose(seen[-1][:, :, 2:3], known)


@pytest.mark.parametrize("model", [LTX, LTX2])
def test_the_tokens_of_pictures_are_counted(
    runtime: Runtime, studio: Materials, model: str
) -> None:
    """The memory plan and the time count as many tokens as the transformer gets."""
    engine, step = engine_of(runtime, model, BETWEEN), STEPS[model]
    transformer, seen = engine._pipeline.transformer, []
    look = transformer.register_forward_pre_hook(
        lambda _module, _args, named: seen.append(named["hidden_states"].shape[1]),
        with_kwargs=True,
    )
    red = studio.picture(colour="red")
    try:
        for ends, between in (
            ({"first_frame": red, "last_frame": red}, {step: red}),
            ({"last_frame": red}, {}),
            ({}, {0: red, step: red}),
        ):
            request = small(studio, model, ends, between)
            engine.interpolate(request.inputs, request.settings, ignore_progress, NeverCanceled())
            demand = demand_of(request.card, request.settings)
            counted = (demand.frames + demand.added_frames - 1) // step + 1
            a_frame = (request.settings["width"] // 32) * (request.settings["height"] // 32)
            assert seen[-1] == counted * a_frame, (ends, between)
            later = sum(frame > 0 for frame in request.settings["picture_frames"])
            assert demand.added_frames == later * step
    finally:
        look.remove()


def test_pictures_take_memory_and_time_where_they_are_tokens() -> None:
    """Four later pictures in 121 frames of LTX-2 are a quarter more tokens; those of VACE none."""
    settings = {"width": 768, "height": 512, "num_frames": 121}
    pictures = [0, 24, 48, 72, 120]
    for model, grows in ((LTX2, True), (LTX, True), (VACE, False)):
        card = models()[model]
        plain, more = (
            demand_of(card, settings | {"picture_frames": frames}).activations()["denoise"]
            for frames in ([0], pictures)
        )
        operations = [
            count_operations(card, settings | {"picture_frames": frames}, 1e9)
            for frames in ([0], pictures)
        ]
        assert (more > plain) == grows
        assert (operations[1] > operations[0]) == grows
        if model == LTX2:
            assert operations[1] == pytest.approx(operations[0] * 20 / 16, rel=0.05)


def test_vace_keeps_each_at_its_frame(runtime: Runtime, studio: Materials) -> None:
    """The mask is black there, and the video has the picture itself."""
    request = ask(studio, VACE, "red")
    given = recorded(runtime, request)
    kept = [index for index, mask in enumerate(given["mask"]) if not np.asarray(mask).any()]
    assert kept == [0, 4, 8]
    assert (np.asarray(given["video"][4]) == fitted(request, "keyframes[0].image")).all()


def test_ltx_has_a_condition_for_each(runtime: Runtime, studio: Materials) -> None:
    """In the order of time, each at its frame."""
    request = ask(studio, LTX, "red")
    conditions = recorded(runtime, request)["conditions"]
    assert [condition.frame_index for condition in conditions] == [0, 8, 16]
    middle = np.asarray(conditions[1].image)
    assert (middle == fitted(request, "keyframes[0].image")).all()


def test_ltx2_has_each_at_any_frame(
    runtime: Runtime, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The positions of its tokens are those of the frame, which need not begin a latent frame."""
    ends = {"first_frame": studio.picture(), "last_frame": studio.picture(colour="blue")}
    between = {5: studio.picture(colour="red"), 8: studio.picture(colour="lime")}
    size = {"width": 64, "height": 64, "num_frames": 17}
    request = studio.request(LTX2, BETWEEN, media=ends, keyframes=between, **size)
    pipeline = engine_of(runtime, LTX2, BETWEEN)._pipeline
    seen, original = [], pipeline._prepare_keyframe_coords

    def spy(**given: Any) -> Any:
        seen.append(given["pixel_frame_idx"])
        return original(**given)

    monkeypatch.setattr(pipeline, "_prepare_keyframe_coords", spy)
    recorded(runtime, request)
    assert seen == [5, 8, 16]


def test_pusa_holds_each_in_its_latent_frame(studio: Materials) -> None:
    """Without noise, what is decoded there is the picture itself."""
    engine = pusa_with_a_trained_vae()
    quiet = {"noise_multiplier": 0.0, "last_noise_multiplier": 0.0}
    request = ask(studio, PUSA, "red", **quiet)
    with last_latents(engine) as seen:
        engine.interpolate(request.inputs, request.settings, ignore_progress, NeverCanceled())
    for place, name in enumerate(("first_frame", "keyframes[0].image", "last_frame")):
        known = engine._latent([engine._picture(request.media[name], request.settings)])
        assert torch.allclose(seen[-1][:, :, place : place + 1], known), name
    noisy = {**request.settings, "noise_multiplier": 0.2, "last_noise_multiplier": 0.5}
    assert multipliers(noisy).tolist() == pytest.approx([0.2, 0.5, 0.5])


def test_skyreels_leaves_each_as_it_is(runtime: Runtime, studio: Materials) -> None:
    """Its latent frame is clean in the first latents and after the last step."""
    request = ask(studio, SKYREELS, "red")
    engine = engine_of(runtime, SKYREELS, BETWEEN)
    pictures = engine._pictures
    picture = pictures._picture(request.media["keyframes[0].image"], request.settings)
    known = pictures._latent([picture])
    with last_latents(pictures) as seen:
        given = recorded(runtime, request)
    assert torch.allclose(given["latents"][:, :, 1:2], known)
    assert torch.allclose(seen[-1][:, :, 1:2], known, atol=1e-4)
    assert not torch.allclose(seen[-1][:, :, 2:3], given["latents"][:, :, 2:3])
    assert "generate_timestep_matrix" not in vars(pictures._pipeline)


def test_every_model_that_takes_them_has_its_engine_here() -> None:
    """A card that says so has an engine that is tested above, or in the module of its family."""
    tested = {models()[name].engine for name in STEPS} | {"ltx2_distilled"}
    able = [card for card in models().values() if card.takes_keyframes]
    assert {card.engine for card in able} <= tested
    assert len({card.family for card in able}) >= 5
