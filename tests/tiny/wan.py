"""Tiny pipelines of the Wan 2.1 family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.tiny_vace import (
    LATENT_CHANNELS,
    TRANSFORMER,
    build_vace,
    scheduler,
    shared_parts,
)

__all__ = ["TINY", "build_flf2v", "build_i2v", "build_t2v", "build_vace", "sight"]

CLIP_WIDTH = 16
CLIP_TOKENS = 17
"""Tokens of one picture: 4x4 patches and the class token."""


def build_t2v(folder: Path, *, seed: int = 0) -> Path:
    """Save a tiny WanPipeline and return its folder."""
    import torch
    from diffusers import WanPipeline, WanTransformer3DModel

    torch.manual_seed(seed)
    transformer = WanTransformer3DModel(**TRANSFORMER, in_channels=LATENT_CHANNELS).eval()
    WanPipeline(**shared_parts(), transformer=transformer).save_pretrained(folder)
    return folder


def build_i2v(folder: Path, *, seed: int = 0) -> Path:
    """Save a tiny WanImageToVideoPipeline for one picture and return its folder."""
    return _image_pipeline(folder, seed=seed, shift=5.0)


def build_flf2v(folder: Path, *, seed: int = 0) -> Path:
    """Save a tiny WanImageToVideoPipeline for a first and a last frame and return its folder."""
    return _image_pipeline(folder, seed=seed, shift=16.0, pos_embed_seq_len=2 * CLIP_TOKENS)


def sight() -> Any:
    """Return the configuration of a tiny CLIP encoder of pictures."""
    from transformers import CLIPVisionConfig

    return CLIPVisionConfig(
        hidden_size=CLIP_WIDTH,
        projection_dim=CLIP_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        intermediate_size=16,
        patch_size=8,
    )


def _image_pipeline(folder: Path, *, seed: int, shift: float, **extra: Any) -> Path:
    import torch
    from diffusers import WanImageToVideoPipeline, WanTransformer3DModel
    from transformers import CLIPImageProcessorPil, CLIPVisionModel

    torch.manual_seed(seed)
    transformer = WanTransformer3DModel(
        **TRANSFORMER,
        in_channels=2 * LATENT_CHANNELS + 4,  # the noise, the picture's latents, and its mask
        image_dim=CLIP_WIDTH,
        added_kv_proj_dim=TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"],
        **extra,
    )
    parts = shared_parts() | {"scheduler": scheduler(shift)}
    pipeline = WanImageToVideoPipeline(
        **parts,
        transformer=transformer.eval(),
        image_encoder=CLIPVisionModel(sight()).eval(),
        image_processor=CLIPImageProcessorPil(crop_size=32, size=32),
    )
    pipeline.save_pretrained(folder)
    return folder


TINY = {
    "wan2.1-t2v-14b": build_t2v,
    "wan2.1-t2v-1.3b": build_t2v,
    "wan2.1-i2v-14b-720p": build_i2v,
    "wan2.1-i2v-14b-480p": build_i2v,
    "wan2.1-flf2v-14b-720p": build_flf2v,
    "wan2.1-vace-14b": build_vace,
    "wan2.1-vace-1.3b": build_vace,
}
