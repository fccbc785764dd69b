"""Tiny pipelines of Helios."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.tiny_vace import LATENT_CHANNELS, TEXT_DIM, text_encoder, tokenizer, vae

__all__ = ["TINY", "build_base", "build_distilled", "build_mid"]

TRANSFORMER: dict[str, Any] = {
    "num_attention_heads": 2,
    "attention_head_dim": 12,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "text_dim": TEXT_DIM,
    "freq_dim": 64,
    "ffn_dim": 32,
    "num_layers": 2,
    "rope_dim": (4, 4, 4),
}


def build_base(folder: Path) -> None:
    """Save a tiny HeliosPipeline: one size."""
    scheduler = {"stages": 1, "stage_range": [0, 1], "use_dynamic_shifting": True}
    _save(folder, "HeliosPipeline", "HeliosScheduler", scheduler)


def build_mid(folder: Path) -> None:
    """Save a tiny HeliosPyramidPipeline: three sizes, with guidance."""
    scheduler = {"use_dynamic_shifting": True}
    _save(folder, "HeliosPyramidPipeline", "HeliosScheduler", scheduler, is_cfg_zero_star=True)


def build_distilled(folder: Path) -> None:
    """Save a tiny HeliosPyramidPipeline: three sizes, few steps."""
    scheduler = {"use_dynamic_shifting": True}
    _save(folder, "HeliosPyramidPipeline", "HeliosDMDScheduler", scheduler, is_distilled=True)


def _save(folder: Path, pipeline: str, kind: str, scheduler: dict[str, Any], **facts: bool) -> None:
    import diffusers
    import torch

    torch.manual_seed(0)
    words = tokenizer()
    transformer = diffusers.HeliosTransformer3DModel(**TRANSFORMER).eval()
    made = getattr(diffusers, pipeline)(
        tokenizer=words,
        text_encoder=text_encoder(len(words)),
        vae=vae(),
        scheduler=getattr(diffusers, kind)(**scheduler),
        transformer=transformer,
        **facts,
    )
    made.save_pretrained(folder)


TINY = {"helios-base": build_base, "helios-mid": build_mid, "helios-distilled": build_distilled}
