"""Helios: pieces of 33 frames, an end that is cut as asked, a picture on any device."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.testing.contracts.features import ImageToVideoContract, TextToVideoContract
from tiomagic_local.engines.helios import Helios
from tiomagic_local.engines.helios_pyramid import draw_block_noise
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

BASE, MID, DISTILLED = "helios-base", "helios-mid", "helios-distilled"
TEXT, PICTURE = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO
SMALLEST = {"width": 64, "height": 64, "num_frames": 5}
OF_SIZES = {"width": 128, "height": 128, "num_frames": 5}


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny models."""
    weights = save(tmp_path_factory.mktemp("weights"), [BASE, MID, DISTILLED])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


class OnTinyHelios:
    """Fixtures of the contracts."""

    feature: Feature

    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, BASE, self.feature)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(BASE, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(BASE, self.feature, **SMALLEST)


class TestWords(OnTinyHelios, TextToVideoContract):
    feature = TEXT


class TestPicture(OnTinyHelios, ImageToVideoContract):
    feature = PICTURE


@pytest.mark.parametrize(("frames", "pieces"), [(33, 1), (37, 2), (65, 2), (69, 3)])
def test_a_length_is_made_in_whole_pieces(
    runtime: Runtime, studio: Materials, frames: int, pieces: int
) -> None:
    """The end beyond it is cut off, and each step of each piece is told."""
    told: list[Progress] = []
    settings = settings_of(BASE, TEXT, **{**SMALLEST, "num_frames": frames})
    clip = engine_of(runtime, BASE, TEXT).text_to_video(
        studio.request(BASE).inputs, settings, told.append, NeverCanceled()
    )
    assert clip.frames.shape == (frames, 64, 64, 3)
    steps = [moment.step for moment in told if moment.phase is Phase.DENOISING and moment.step]
    assert steps == list(range(1, 2 * pieces + 1))


@pytest.mark.parametrize(("model", "pieces"), [(MID, 2), (DISTILLED, 3)])
def test_three_sizes_are_counted(
    runtime: Runtime, studio: Materials, model: str, pieces: int
) -> None:
    """Two steps at each; the first of two pieces takes a distilled model twice as many."""
    told: list[Progress] = []
    settings = settings_of(model, TEXT, **{**OF_SIZES, "num_frames": 37})
    clip = engine_of(runtime, model, TEXT).text_to_video(
        studio.request(model).inputs, settings, told.append, NeverCanceled()
    )
    assert clip.frames.shape == (37, 128, 128, 3)
    denoising = [moment for moment in told if moment.phase is Phase.DENOISING and moment.step]
    assert [moment.step for moment in denoising] == list(range(1, 6 * pieces + 1))
    assert {moment.steps for moment in denoising} == {6 * pieces}


def test_a_picture_is_prepared_as_the_pipeline_does(runtime: Runtime, studio: Materials) -> None:
    """On a CPU, where the pipeline can do it itself, the frames are the same to the last bit."""
    engine, inputs = engine_of(runtime, BASE, PICTURE), studio.request(BASE, PICTURE).inputs
    settings = settings_of(BASE, PICTURE, **SMALLEST)
    recorder = CallRecorder(engine._pipeline)
    ours = Helios(recorder, engine._card).image_to_video(
        inputs, settings, ignore_progress, NeverCanceled()
    )
    arguments = dict(recorder.calls[0])
    for name in ("image_latents", "fake_image_latents", "add_noise_to_image_latents"):
        del arguments[name]
    arguments |= {
        "image": engine._picture(inputs.image, settings),
        "generator": torch.Generator("cpu").manual_seed(settings["seed"]),
    }
    del arguments["callback_on_step_end"]
    engine._set_up(settings)
    theirs = engine._pipeline(**arguments).frames[0][:5]
    pixels = (theirs.permute(0, 2, 3, 1) * 255).round().to(torch.uint8).numpy()
    assert np.array_equal(ours.frames, pixels)


def test_the_noise_of_a_block_cancels_itself_on_any_processor() -> None:
    """Its covariance has no inverse; what fp32 makes of it is another thing on each of them."""
    generator = torch.Generator("cpu").manual_seed(3)
    cpu = torch.device("cpu")
    noise = draw_block_noise(1 / 3, (1, 16, 9, 8, 8), (1, 2, 2), cpu, generator)
    blocks = noise.view(16, 9, 4, 2, 4, 2).transpose(3, 4).reshape(-1, 4)
    assert blocks.sum(1).abs().max() < 1e-3
    assert torch.cov(blocks.T).allclose(torch.eye(4) * 4 / 3 - 1 / 3, atol=0.1)


def test_the_picture_changes_the_video(runtime: Runtime, studio: Materials) -> None:
    """With Distilled too, which is called with a memory of it."""
    engine = engine_of(runtime, DISTILLED, PICTURE)
    settings = settings_of(DISTILLED, PICTURE, **OF_SIZES)
    clips = [
        engine.image_to_video(
            studio.request(
                DISTILLED, PICTURE, media={"image": studio.picture(colour=colour)}
            ).inputs,
            settings,
            ignore_progress,
            NeverCanceled(),
        ).frames
        for colour in ("orange", "blue")
    ]
    assert (clips[0] != clips[1]).any()
