"""Tiny pipelines of the Wan 2.2 family."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from examples.tiny_vace import LATENT_CHANNELS, TRANSFORMER, scheduler, shared_parts

__all__ = ["TINY", "build_i2v_a14b", "build_t2v_a14b", "build_ti2v_5b", "build_vace_fun_a14b"]

CHANNELS_5B = 4
"""Channels of the latents of the 5B model, 48 in the real one."""


def transformer(**changes: Any) -> Any:
    """Return one expert; each call draws another."""
    from diffusers import WanTransformer3DModel

    return WanTransformer3DModel(**TRANSFORMER | changes).eval()


def build_t2v_a14b(folder: Path) -> None:
    """Save a tiny WanPipeline with two experts."""
    import torch
    from diffusers import WanPipeline

    torch.manual_seed(0)
    pipeline = WanPipeline(
        **shared_parts(),
        transformer=transformer(in_channels=LATENT_CHANNELS),
        transformer_2=transformer(in_channels=LATENT_CHANNELS),
        boundary_ratio=0.875,
    )
    pipeline.save_pretrained(folder)


def build_i2v_a14b(folder: Path) -> None:
    """Save a tiny WanImageToVideoPipeline with two experts and without an image encoder."""
    import torch
    from diffusers import WanImageToVideoPipeline

    torch.manual_seed(0)
    channels = 2 * LATENT_CHANNELS + 4  # the noise, the picture's latents, and its mask
    pipeline = WanImageToVideoPipeline(
        **shared_parts(),
        transformer=transformer(in_channels=channels),
        transformer_2=transformer(in_channels=channels),
        boundary_ratio=0.9,
    )
    pipeline.save_pretrained(folder)


def build_vace_fun_a14b(folder: Path) -> None:
    """Save a tiny WanVACEPipeline with two experts."""
    import torch
    from diffusers import WanVACEPipeline, WanVACETransformer3DModel

    def expert() -> Any:
        return WanVACETransformer3DModel(
            **TRANSFORMER, in_channels=LATENT_CHANNELS, vace_layers=[0], vace_in_channels=96
        ).eval()

    torch.manual_seed(0)
    pipeline = WanVACEPipeline(
        **shared_parts(), transformer=expert(), transformer_2=expert(), boundary_ratio=0.875
    )
    pipeline.save_pretrained(folder)


def build_ti2v_5b(folder: Path) -> None:
    """Save a tiny WanPipeline with a VAE of 16 in space, and a timestep for each token."""
    import torch
    from diffusers import AutoencoderKLWan, WanPipeline

    torch.manual_seed(0)
    vae = AutoencoderKLWan(
        base_dim=8,
        decoder_base_dim=8,
        z_dim=CHANNELS_5B,
        dim_mult=[1, 1, 1, 1],
        num_res_blocks=1,
        temperal_downsample=[False, True, True],
        latents_mean=[0.0] * CHANNELS_5B,
        latents_std=[1.0] * CHANNELS_5B,
        is_residual=True,
        in_channels=12,
        out_channels=12,
        patch_size=2,
        scale_factor_spatial=16,
        scale_factor_temporal=4,
    )
    parts = shared_parts() | {"scheduler": scheduler(5.0), "vae": vae.eval()}
    pipeline = WanPipeline(
        **parts,
        transformer=transformer(in_channels=CHANNELS_5B, out_channels=CHANNELS_5B),
        expand_timesteps=True,
    )
    pipeline.save_pretrained(folder)


TINY = {
    "wan2.2-t2v-a14b": build_t2v_a14b,
    "wan2.2-i2v-a14b": build_i2v_a14b,
    "wan2.2-vace-fun-a14b": build_vace_fun_a14b,
    "wan2.2-ti2v-5b": build_ti2v_5b,
}
