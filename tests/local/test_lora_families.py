"""LoRAs on families beside Wan 2.1: each reaches the transformer that it is for, and goes again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.local.materials import Materials, engine_of
from tests.tiny import save

from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

WAN_LAYER = "blocks.0.attn1.to_q"

CASES = {
    "FramePack": (
        "framepack-i2v-hy",
        Feature.IMAGE_TO_VIDEO,
        "transformer_blocks.0.attn.to_q",
        "transformer",
    ),
    "first expert": ("wan2.2-t2v-a14b", Feature.TEXT_TO_VIDEO, WAN_LAYER, "transformer"),
    "second expert": ("wan2.2-t2v-a14b", Feature.TEXT_TO_VIDEO, WAN_LAYER, "transformer_2"),
    # Their pipelines for pictures share the transformer of the one that the LoRA is put on.
    "5B, a picture": ("wan2.2-ti2v-5b", Feature.IMAGE_TO_VIDEO, WAN_LAYER, "transformer"),
    "SkyReels": ("skyreels-v2-df-1.3b-540p", Feature.INTERPOLATE, WAN_LAYER, "transformer"),
    "Kandinsky": (
        "kandinsky5-lite",
        Feature.TEXT_TO_VIDEO,
        "visual_transformer_blocks.0.self_attention.to_query",
        "transformer",
    ),
    "Helios": ("helios-base", Feature.IMAGE_TO_VIDEO, WAN_LAYER, "transformer"),
    "MiniMax H3": (
        "minimax-h3",
        Feature.TEXT_TO_VIDEO,
        "transformer_blocks.0.attn.to_q",
        "transformer",
    ),
    "CogVideoX-Fun": (
        "cogvideox-fun-5b-pose",
        Feature.POSE_GUIDANCE,
        "transformer_blocks.0.attn1.to_q",
        "transformer",
    ),
    "Animate": ("wan2.2-animate-14b", Feature.POSE_GUIDANCE, WAN_LAYER, "transformer"),
}
LENGTHS = {
    "minimax-h3": {"num_frames": 124},
    "cogvideox-fun-5b-pose": {"num_frames": 9},
    "framepack-i2v-hy": {"num_frames": 37, "width": 16, "height": 16},
}

WITHOUT_SHIFT = {"framepack-i2v-hy", "cogvideox-fun-5b-pose"}
"""Models whose schedule has no shift to set."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny models."""
    names = {model for model, *_rest in CASES.values()}
    weights = save(tmp_path_factory.mktemp("weights"), names)
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


def lora(folder: Path, part: Any, layer: str) -> Path:
    """Save a LoRA on one layer of a transformer."""
    import torch
    from safetensors.torch import save_file

    width_out, width_in = part.get_submodule(layer).weight.shape
    draw = torch.Generator().manual_seed(1)
    path = folder / "style.safetensors"
    tensors = {
        f"transformer.{layer}.lora_A.weight": torch.randn(2, width_in, generator=draw),
        f"transformer.{layer}.lora_B.weight": torch.randn(width_out, 2, generator=draw),
    }
    save_file(tensors, path)
    return path


@pytest.mark.parametrize("name", CASES)
def test_it_reaches_its_transformer_and_leaves_no_trace(
    runtime: Runtime, studio: Materials, tmp_path: Path, name: str
) -> None:
    """One layer is changed, the video is another, and the next run is bit for bit as before."""
    model, feature, layer, component = CASES[name]
    pipeline = engine_of(runtime, model, feature)._pipeline
    path = lora(tmp_path, getattr(pipeline, component), layer)
    media = studio.media(feature)

    def make(**given: Any) -> tuple[Any, Any]:
        settings = {"flow_shift": 3.0, "num_inference_steps": 3} | LENGTHS.get(model, {}) | given
        if model in WITHOUT_SHIFT:
            del settings["flow_shift"]
        request = studio.request(model, feature, media=media, **settings)
        with runtime.use(
            request.card, request.settings, ignore_progress, NeverCanceled()
        ) as loaded:
            method = getattr(loaded.engine, feature.value)
            clip = method(request.inputs, request.settings, ignore_progress, NeverCanceled())
        return np.asarray(clip.frames), loaded.loras

    before, _none = make()
    entry = {"source": str(path), "scale": 1.0, "component": component}
    changed, facts = make(loras=[entry])
    assert [fact["layers"] for fact in facts] == [1]
    assert (changed != before).any()
    after, _none = make()
    assert (after == before).all()
