"""Tiny pipelines of Wan-Animate-2, saved as a modular pipeline saves itself."""

from __future__ import annotations

from pathlib import Path

from examples.tiny_vace import LATENT_CHANNELS, TEXT_DIM, shared_parts

__all__ = ["TINY", "build_animate_2", "build_animate_2_distilled"]

CLIP_WIDTH = 1280
"""The class has this width in it, whatever its other sizes are."""


def build_animate_2(folder: Path) -> None:
    """Save a tiny WanAnimate2ModularPipeline."""
    from diffusers import DPMSolverMultistepScheduler, WanAnimate2ModularPipeline

    steps = DPMSolverMultistepScheduler(
        prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
    )
    _save(WanAnimate2ModularPipeline, steps, folder)


def build_animate_2_distilled(folder: Path) -> None:
    """Save a tiny WanAnimate2DistilledModularPipeline."""
    from diffusers import FlowMatchEulerDiscreteScheduler, WanAnimate2DistilledModularPipeline

    _save(WanAnimate2DistilledModularPipeline, FlowMatchEulerDiscreteScheduler(shift=5.0), folder)


def _save(kind: type, scheduler: object, folder: Path) -> None:
    import torch
    from diffusers import WanAnimate2Transformer3DModel
    from transformers import CLIPVisionConfig, CLIPVisionModel

    torch.manual_seed(0)
    transformer = WanAnimate2Transformer3DModel(
        in_dim=2 * LATENT_CHANNELS + 4,  # the noise, the frames that are known, their mask
        dim=32,
        ffn_dim=32,
        freq_dim=64,
        text_dim=TEXT_DIM,
        out_dim=LATENT_CHANNELS,
        num_heads=2,
        num_layers=2,
    )
    sight = CLIPVisionConfig(
        hidden_size=CLIP_WIDTH,
        projection_dim=CLIP_WIDTH,
        num_hidden_layers=1,
        num_attention_heads=2,
        image_size=224,
        intermediate_size=16,
        patch_size=28,
    )
    # In half the bytes: the fixed width makes these two as large as all the rest.
    halves = {
        "transformer": transformer.to(torch.bfloat16).eval(),
        "image_encoder": CLIPVisionModel(sight).to(torch.bfloat16).eval(),
    }
    pipeline = kind()
    pipeline.update_components(**shared_parts(), **halves)
    pipeline.update_components(scheduler=scheduler)
    pipeline.save_pretrained(str(folder), overwrite_modular_index=True)


TINY = {
    "wan2.2-animate-2-14b": build_animate_2,
    "wan2.2-animate-2-14b-distilled": build_animate_2_distilled,
}
