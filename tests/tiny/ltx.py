"""Tiny pipelines of the LTX-Video family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.tiny_vace import TEXT_DIM, tokenizer
from tests.tiny.cogvideox import text_encoder

__all__ = ["TINY", "build_conditioned", "build_first"]

LATENT_CHANNELS = 8


def _transformer() -> Any:
    from diffusers import LTXVideoTransformer3DModel

    return LTXVideoTransformer3DModel(
        in_channels=LATENT_CHANNELS,
        out_channels=LATENT_CHANNELS,
        num_attention_heads=2,
        attention_head_dim=8,
        cross_attention_dim=16,
        num_layers=2,
        caption_channels=TEXT_DIM,
    ).eval()


def _vae(**changes: Any) -> Any:
    """Return an autoencoder with LTX's ratios: 32 in space, 8 in time."""
    from diffusers import AutoencoderKLLTXVideo

    return AutoencoderKLLTXVideo(
        latent_channels=LATENT_CHANNELS,
        block_out_channels=(4, 4, 4, 4),
        decoder_block_out_channels=(4, 4, 4, 4),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1, 1),
        **changes,
    ).eval()


def _save(folder: Path, pipeline: str, *, shifting: bool, **vae: Any) -> None:
    import diffusers
    import torch

    torch.manual_seed(0)
    words = tokenizer()
    getattr(diffusers, pipeline)(
        tokenizer=words,
        text_encoder=text_encoder(len(words)),
        transformer=_transformer(),
        vae=_vae(**vae),
        scheduler=diffusers.FlowMatchEulerDiscreteScheduler(
            use_dynamic_shifting=shifting,
            shift_terminal=0.1,
            base_shift=0.95,
            max_shift=2.05,
            base_image_seq_len=1024,
            max_image_seq_len=4096,
        ),
    ).save_pretrained(folder)


def build_first(folder: Path) -> None:
    """Save an LTXPipeline as version 0.9 is: a schedule that is shifted by the size."""
    _save(folder, "LTXPipeline", shifting=True)


def build_conditioned(folder: Path) -> None:
    """Save an LTXConditionPipeline as version 0.9.8 is: a VAE that does the last step."""
    _save(folder, "LTXConditionPipeline", shifting=False, timestep_conditioning=True)


TINY = {"ltx-video": build_first, "ltx-video-0.9.8-distilled": build_conditioned}
