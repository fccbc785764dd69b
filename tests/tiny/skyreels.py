"""Tiny pipelines of SkyReels-V2."""

from __future__ import annotations

from pathlib import Path

from examples.tiny_vace import LATENT_CHANNELS, TRANSFORMER, scheduler, shared_parts
from tests.tiny.wan import CLIP_WIDTH, sight

__all__ = ["TINY", "build_forcing", "build_pictures", "build_words"]


def build_forcing(folder: Path) -> None:
    """Save a tiny SkyReelsV2DiffusionForcingPipeline."""
    import torch
    from diffusers import SkyReelsV2DiffusionForcingPipeline, SkyReelsV2Transformer3DModel

    torch.manual_seed(0)
    transformer = SkyReelsV2Transformer3DModel(**TRANSFORMER, in_channels=LATENT_CHANNELS)
    pipeline = SkyReelsV2DiffusionForcingPipeline(
        **shared_parts() | {"scheduler": scheduler(8.0)}, transformer=transformer.eval()
    )
    pipeline.save_pretrained(folder)


def build_words(folder: Path) -> None:
    """Save a tiny SkyReelsV2Pipeline."""
    import torch
    from diffusers import SkyReelsV2Pipeline, SkyReelsV2Transformer3DModel

    torch.manual_seed(0)
    transformer = SkyReelsV2Transformer3DModel(**TRANSFORMER, in_channels=LATENT_CHANNELS)
    parts = shared_parts() | {"scheduler": scheduler(8.0)}
    SkyReelsV2Pipeline(**parts, transformer=transformer.eval()).save_pretrained(folder)


def build_pictures(folder: Path) -> None:
    """Save a tiny SkyReelsV2ImageToVideoPipeline."""
    import torch
    from diffusers import SkyReelsV2ImageToVideoPipeline, SkyReelsV2Transformer3DModel
    from transformers import CLIPImageProcessorPil, CLIPVisionModelWithProjection

    torch.manual_seed(0)
    transformer = SkyReelsV2Transformer3DModel(
        **TRANSFORMER,
        in_channels=2 * LATENT_CHANNELS + 4,  # the noise, the picture's latents, and its mask
        image_dim=CLIP_WIDTH,
        added_kv_proj_dim=TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"],
    )
    parts = shared_parts() | {"scheduler": scheduler(5.0)}
    pipeline = SkyReelsV2ImageToVideoPipeline(
        **parts,
        transformer=transformer.eval(),
        image_encoder=CLIPVisionModelWithProjection(sight()).eval(),
        image_processor=CLIPImageProcessorPil(crop_size=32, size=32),
    )
    pipeline.save_pretrained(folder)


TINY = {
    "skyreels-v2-df-14b-540p": build_forcing,
    "skyreels-v2-df-1.3b-540p": build_forcing,
    "skyreels-v2-t2v-14b-540p": build_words,
    "skyreels-v2-i2v-14b-540p": build_pictures,
}
