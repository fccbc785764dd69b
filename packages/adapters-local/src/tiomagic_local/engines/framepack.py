"""FramePack: a video in sections, each predicted from what is known of its neighbours."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import ImageToVideoInputs, InterpolateInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.pipeline import PipelineEngine
from tiomagic_local.engines._shared.watch import Watch

SECTION_FRAMES = 36
"""Frames of the video in each section; one more stands before the first."""
LATENT_FRAMES = 9
"""Latent frames of a section."""
LARGEST_SHIFT = 7.0
COUNTED = 33
"""Frames that the pipeline counts for a section when it decides how many to make."""


class FramePack(PipelineEngine):
    """Runs ``HunyuanVideoFramepackPipeline``."""

    pipeline = "HunyuanVideoFramepackPipeline"
    # In fp16 the VAE may overflow, in bf16 it shows bands.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # Each section is decoded with its neighbour: 73 frames at once, too many in one piece.
        pipeline.vae.enable_tiling()

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``ImageToVideo`` says."""
        conditions = {"image": self._picture(inputs.image, settings)}
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)

    def interpolate(
        self,
        inputs: InterpolateInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``Interpolate`` says."""
        conditions = {
            "image": self._picture(inputs.first_frame, settings),
            "last_image": self._picture(inputs.last_frame, settings),
        }
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        shipped = self._pipeline.scheduler
        shift = shift_of(int(settings["width"]), int(settings["height"]))
        return type(shipped).from_config(shipped.config, shift=shift)

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        # The number that the pipeline is given is not the number of frames that it makes.
        counted = {"num_frames": COUNTED * count_sections(settings)}
        return super()._arguments(prompt, settings) | counted

    def _watch(
        self, settings: Mapping[str, Any], progress: ProgressSink, cancel: CancelToken
    ) -> Watch:
        return Watch(
            self._pipeline,
            steps=int(settings["num_inference_steps"]),
            sections=count_sections(settings),
            progress=progress,
            cancel=cancel,
        )


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
