"""What the engines of the CogVideoX family share: its schedulers, and a VAE that decodes pairs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import diffusers

from tiomagic_domain.catalogue import ModelCard
from tiomagic_local.engines._shared.pipeline import PipelineEngine
from tiomagic_local.preview.estimate import keep_estimate

if TYPE_CHECKING:
    import torch

TEMPORAL_RATIO = 4
"""Frames in one latent frame, after the first one."""


class CogVideoXEngine(PipelineEngine):
    """Calls a pipeline of the CogVideoX family.

    The pipelines give the VAE latents of the text encoder's type, so that no component may have
    another type than the rest.
    """

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # As the authors run it: decoding 49 frames of 720x480 at once needs more memory than all
        # the weights.
        pipeline.vae.enable_slicing()
        pipeline.vae.enable_tiling()

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        del settings
        # The one that the authors recommend for this model, whatever the repository ships. With
        # other than trailing steps the first one is not pure noise.
        kind = getattr(diffusers, self._card.options["scheduler"])
        shipped = self._pipeline.scheduler.config
        return keep_estimate(kind).from_config(shipped, timestep_spacing="trailing")

    def _latent_frames(self, latents: torch.Tensor, settings: Mapping[str, Any]) -> torch.Tensor:
        del settings
        return latents[0].transpose(0, 1)  # The family has the frames before the channels.

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        latents = (int(settings["num_frames"]) - 1) // TEMPORAL_RATIO + 1
        return max(latents // 2, 1)
