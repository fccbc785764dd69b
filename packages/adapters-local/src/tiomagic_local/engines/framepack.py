"""FramePack: a video in sections, each predicted from what is known of its neighbours.

The pipeline needs the first picture, and takes the last one as what is known after the last
section, which it makes first. What is known between sections are its own latents: there is no place
for a keyframe, and F1, which makes the first section first, has none for the last picture either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_local.engines._shared.pipeline import PipelineEngine

SECTION_FRAMES = 36
"""Frames of the video in each section; one more precedes the first."""
LATENT_FRAMES = 9
"""Latent frames of a section."""
LARGEST_SHIFT = 7.0
COUNTED = 33
"""Frames that the pipeline counts for a section when it decides how many to make."""


class FramePack(PipelineEngine):
    """Runs ``HunyuanVideoFramepackPipeline``."""

    pipeline = "HunyuanVideoFramepackPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)
    # In fp16 the VAE may overflow, in bf16 it shows bands.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # Each section is decoded with its neighbour: 73 frames at once, too many in one piece.
        pipeline.vae.enable_tiling()

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        shipped = self._pipeline.scheduler
        shift = shift_of(int(settings["width"]), int(settings["height"]))
        return type(shipped).from_config(shipped.config, shift=shift)

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        # The number that the pipeline is given is not the number of frames that it makes.
        counted = {"num_frames": COUNTED * count_sections(settings)}
        return super()._arguments(prompt, settings) | counted

    def _sections(self, settings: Mapping[str, Any]) -> int:
        return count_sections(settings)


def shift_of(width: int, height: int) -> float:
    """Return the shift of the noise schedule for a size, as the authors compute it.

    It grows with the tokens of a section and ends at 7, which is what the repository has for all
    sizes; under about 500x500 pixels it is less (calculate_flux_mu in their k_diffusion_hunyuan).
    """
    tokens = LATENT_FRAMES * (height // 16) * (width // 16)
    low, high = (256, 0.5), (4096, 1.15)
    slope = (high[1] - low[1]) / (high[0] - low[0])
    return min(math.exp(low[1] + slope * (tokens - low[0])), LARGEST_SHIFT)


def count_sections(settings: Mapping[str, Any]) -> int:
    """Return how many sections a video of this length has."""
    return (int(settings["num_frames"]) - 1) // SECTION_FRAMES


ENGINE = FramePack
