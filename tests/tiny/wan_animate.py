"""A tiny pipeline of Wan Animate."""

from __future__ import annotations

from pathlib import Path

from examples.tiny_vace import LATENT_CHANNELS, TRANSFORMER, scheduler, shared_parts

__all__ = ["TINY", "build_animate"]

CLIP_WIDTH = 16
FACE_SIDE = 16
"""Pixels of the picture of a face, 512 in the real one."""


def build_animate(folder: Path) -> None:
    """Save a tiny WanAnimatePipeline."""
    import torch
    from diffusers import WanAnimatePipeline, WanAnimateTransformer3DModel
    from transformers import CLIPImageProcessorPil, CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    transformer = WanAnimateTransformer3DModel(
        **TRANSFORMER,
        in_channels=2 * LATENT_CHANNELS + 4,  # the noise, the frames that are known, their mask
        latent_channels=LATENT_CHANNELS,
        image_dim=CLIP_WIDTH,
        added_kv_proj_dim=TRANSFORMER["num_attention_heads"] * TRANSFORMER["attention_head_dim"],
        motion_encoder_channel_sizes={"4": 16, "8": 16, "16": 16},
        motion_encoder_size=FACE_SIDE,
        motion_style_dim=8,
        motion_dim=4,
        motion_encoder_dim=16,
        face_encoder_hidden_dim=16,
        face_encoder_num_heads=2,
        inject_face_latents_blocks=2,
    )
    sight = CLIPVisionConfig(
        hidden_size=CLIP_WIDTH,
        projection_dim=CLIP_WIDTH,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=32,
        intermediate_size=16,
        patch_size=8,
    )
    pipeline = WanAnimatePipeline(
        **shared_parts() | {"scheduler": scheduler(5.0)},
        transformer=transformer.eval(),
        image_encoder=CLIPVisionModel(sight).eval(),
        image_processor=CLIPImageProcessorPil(crop_size=32, size=32),
    )
    pipeline.save_pretrained(folder)


TINY = {"wan2.2-animate-14b": build_animate}
