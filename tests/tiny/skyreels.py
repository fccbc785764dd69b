"""A tiny pipeline of SkyReels-V2."""

from __future__ import annotations

from pathlib import Path

from examples.tiny_vace import LATENT_CHANNELS, TRANSFORMER, scheduler, shared_parts

__all__ = ["TINY", "build_forcing"]


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


TINY = {
    "skyreels-v2-df-14b-540p": build_forcing,
    "skyreels-v2-df-1.3b-540p": build_forcing,
}
