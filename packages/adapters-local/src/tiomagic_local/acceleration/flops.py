"""Estimates the FLOPs of a run from the shapes of its model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch

ELSEWHERE = (
    *("attn2.to_k", "attn2.to_v", "add_k_proj", "add_v_proj"),
    *("cross_attn.to_k", "cross_attn.to_v"),  # as one class names them
    *("embedder", "embedding", "caption_projection", "time_"),
)
"""Parts of the names of layers that process the prompt or the time step, not the video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlopEstimate:
    """The work of a denoising loop in matrix products."""

    tokens: int
    """Of one pass through the transformer."""
    passes: int
    """Steps, twice that with guidance."""
    parameters: int
    """Parameters that a pass uses: for a model with two experts, those of one."""
    width: int
    """Channels of a token in the attention."""
    layers: int

    @property
    def flop(self) -> float:
        """Floating point operations: 2 a parameter and token, and attention's own products.

        Norms, activations and the text's attention are left out: a few percent.
        """
        dense = 2.0 * self.parameters * self.tokens
        attention = 4.0 * self.tokens**2 * self.width * self.layers
        return self.passes * (dense + attention)


def estimate_flop(pipeline: Any, settings: Mapping[str, Any]) -> FlopEstimate | None:
    """Return the work of a run; None for a model with an unusual configuration.

    Args:
        pipeline: Loaded.
        settings: With ``width``, ``height``, ``num_frames`` and ``num_inference_steps``.
    """
    config = pipeline.transformer.config
    spatial = _first(pipeline, "vae_scale_factor_spatial", "vae_spatial_compression_ratio")
    temporal = _first(pipeline, "vae_scale_factor_temporal", "vae_temporal_compression_ratio")
    heads, channels = config.get("num_attention_heads"), config.get("attention_head_dim")
    layers = config.get("num_layers")
    sized = all(name in settings for name in ("width", "height", "num_frames"))
    if not sized or None in (spatial, temporal, heads, channels, layers):
        return None
    patch = config.get("patch_size", 1)
    deep, high, wide = patch if isinstance(patch, list | tuple) else (1, patch, patch)
    frames = (int(settings["num_frames"]) - 1) // temporal + 1
    tokens = (
        -(-frames // deep)
        * (int(settings["height"]) // (spatial * high))
        * (int(settings["width"]) // (spatial * wide))
    )
    guided = float(settings.get("guidance_scale", 1.0)) > 1.0
    return FlopEstimate(
        tokens=tokens,
        passes=int(settings.get("num_inference_steps", 1)) * (2 if guided else 1),
        parameters=_dense(pipeline.transformer),
        width=heads * channels,
        layers=layers,
    )


def _first(pipeline: Any, *names: str) -> Any:
    found = (getattr(pipeline, name, None) for name in names)
    return next((value for value in found if value is not None), None)


def _dense(transformer: torch.nn.Module) -> int:
    """Return the number of parameters that each token of the video is multiplied with."""
    return sum(
        module.weight.numel()
        for name, module in transformer.named_modules()
        if isinstance(module, torch.nn.Linear) and not any(word in name for word in ELSEWHERE)
    )
