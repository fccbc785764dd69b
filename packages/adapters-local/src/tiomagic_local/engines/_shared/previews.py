"""The previews of an engine's call."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_local.preview.colours import find_colours
from tiomagic_local.preview.drawer import PreviewDrawer
from tiomagic_local.preview.request import current_preview_request
from tiomagic_local.weights.locate import PACKAGED_WEIGHTS_DIR

if TYPE_CHECKING:
    import torch

COMMAND: Final = "python -m tiomagic_local.fit_preview"
"""Fits the colours of a model's latents; its argument is the model's name."""


def preview_drawer(
    pipeline: Any, card: ModelCard, unpack: Callable[[torch.Tensor], torch.Tensor]
) -> PreviewDrawer | None:
    """Return what draws the previews of a call; None for a run that cannot be watched.

    Args:
        pipeline: That is about to run.
        card: Its model.
        unpack: Returns the latents of a step as latent frames: (C, T, h, w).
    """
    request = current_preview_request()
    if request is None:
        return None
    return PreviewDrawer(
        pipeline,
        unpack=unpack,
        find=partial(find_colours, pipeline.vae, PACKAGED_WEIGHTS_DIR / card.name),
        command=f"{COMMAND} {card.name}",
        request=request,
    )


def unpack_tokens(
    tokens: torch.Tensor, pipeline: Any, settings: Any, *, at_end: bool
) -> torch.Tensor:
    """Return packed latents of the LTX family as latent frames: (C, T, h, w).

    Args:
        tokens: (B, tokens, C): those of the video, and those of pictures at later frames.
        pipeline: Knows the sides of a token in pixels.
        settings: With ``num_frames``, ``height`` and ``width``.
        at_end: True where the video's tokens come last, False where they come first.
    """
    count = (int(settings["num_frames"]) - 1) // pipeline.vae_temporal_compression_ratio + 1
    height, width = (
        int(settings[name]) // pipeline.vae_spatial_compression_ratio
        for name in ("height", "width")
    )
    video = count * height * width
    own = tokens[0, -video:] if at_end else tokens[0, :video]
    return own.T.reshape(-1, count, height, width)
