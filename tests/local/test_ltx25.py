"""LTX-2.5: a gate that is said before a byte, only the files that it needs, and its Gemma 4."""

from __future__ import annotations

from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest
from docs.model_page import render_model
from tests.local.materials import Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.weights.hub_files import list_wanted

MODEL = "ltx-2.5"
CARD = find_model(MODEL)
TEXT = Feature.TEXT_TO_VIDEO
SIGMAS = [1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875]


def test_it_is_behind_a_gate() -> None:
    """A run without a token is refused before the download, and the words name the licence."""
    assert CARD.gated
    assert "LTX-2.x Community License" in CARD.licence
    assert "gate" in CARD.terms.publishing


PUBLISHED = {
    "model_index.json": True,
    "transformer/config.json": True,
    "transformer/diffusion_pytorch_model.safetensors.index.json": True,
    "transformer/diffusion_pytorch_model-00001-of-00004.safetensors": True,
    "transformer/diffusion_pytorch_model-00001-of-00008.safetensors": False,
    "transformer_full/diffusion_pytorch_model-00001-of-00004.safetensors": False,
    "connectors/diffusion_pytorch_model-00001-of-00002.safetensors": True,
    "connectors/diffusion_pytorch_model.safetensors": False,
    "text_encoder/model-00001-of-00005.safetensors": True,
    "prompt_enhancer/model.safetensors": False,
    "diffusion_decoder/diffusion_pytorch_model.safetensors": False,
    "vae/diffusion_pytorch_model.safetensors": True,
}
"""Files of the repository, and whether a run needs them."""


@pytest.mark.parametrize(("name", "needed"), PUBLISHED.items())
def test_only_what_it_needs_is_fetched(name: str, needed: bool) -> None:
    """Of 174 GB it takes 71: the distilled weights once, and no second decoder."""
    (own,) = list_wanted(CARD)
    named = any(fnmatch(name, pattern) for pattern in own.names)
    left_out = any(fnmatch(name, pattern) for pattern in own.without)
    assert (named and not left_out) is needed


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """The engine over tiny weights."""
    weights: Path = save(tmp_path_factory.mktemp("weights"), [MODEL])
    return engine_of(Runtime(LocalOptions(weights_dir=weights, device="cpu")), MODEL, TEXT)


def test_its_text_encoder_is_a_gemma_4(engine: Any) -> None:
    """By which the pipeline also knows how strongly a given picture is compressed."""
    from diffusers.pipelines.ltx2.utils import resolve_default_image_crf

    assert engine._pipeline.text_encoder.config.model_type == "gemma4_unified"
    assert resolve_default_image_crf(engine._pipeline.text_encoder) == 18


@pytest.mark.parametrize("feature", list(CARD.features))
def test_it_makes_video_and_sound_at_its_levels(
    engine: Any, studio: Materials, feature: Feature
) -> None:
    """Eight levels as they are, and 48,000 samples a second."""
    settings = settings_of(MODEL, feature, width=64, height=64, num_frames=9)
    settings["num_inference_steps"] = 8
    inputs = studio.request(MODEL, feature).inputs
    clip = engine.generate(inputs, settings, ignore_progress, NeverCanceled())
    assert clip.frames.shape == (9, 64, 64, 3)
    assert clip.audio_rate == 48_000
    used = engine._pipeline.scheduler.sigmas.tolist()
    assert used == pytest.approx([*SIGMAS, 0.0], abs=1e-6)


def test_its_page_says_what_the_authors_do_in_another_way() -> None:
    """The upscaler, the noise of some rounds and the decoder, whose files are not downloaded."""
    said = render_model(CARD)
    for word in ("upscaler", "fresh noise", "diffusion decoder", "full size"):
        assert word in said
    assert {"latent_upsampler", "diffusion_decoder", "prompt_enhancer"} <= set(CARD.unused)
    assert "unlike" not in render_model(find_model("doodle"))


def test_it_has_no_control_video() -> None:
    """The authors publish no such LoRA for it."""
    assert Feature.POSE_GUIDANCE not in CARD.features
    assert CARD.controls == {}
