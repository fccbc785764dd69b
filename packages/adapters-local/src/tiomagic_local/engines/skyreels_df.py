"""SkyReels-V2 with diffusion forcing: words, a picture, or two, on one set of weights.

The repository names the pipeline for words. The one for pictures is set up beside it on the same
components.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import ImageToVideoInputs, InterpolateInputs, TextToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.sibling import sibling
from tiomagic_local.engines._wan import WanEngine


class _ForcingImageToVideo(WanEngine):
    """Runs ``SkyReelsV2DiffusionForcingImageToVideoPipeline``."""

    pipeline = "SkyReelsV2DiffusionForcingImageToVideoPipeline"

    def between(
        self,
        prompt: str,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
        **pictures: Any,
    ) -> Clip:
        """Make a clip that begins with the picture ``image`` and may arrive at ``last_image``."""
        given = {name: self._picture(media, settings) for name, media in pictures.items()}
        return self._generate(prompt, settings, progress, cancel, given)


class SkyReelsForcing(WanEngine):
    """Runs ``SkyReelsV2DiffusionForcingPipeline``, and the one for pictures on its weights."""

    pipeline = "SkyReelsV2DiffusionForcingPipeline"

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        self._pictures = _ForcingImageToVideo(
            sibling(pipeline, _ForcingImageToVideo.pipeline), card
        )

    def text_to_video(
        self,
        inputs: TextToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``TextToVideo`` says."""
        return self._generate(inputs.prompt, settings, progress, cancel, {})

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``ImageToVideo`` says."""
        try:
            return self._pictures.between(
                inputs.prompt, settings, progress, cancel, image=inputs.image
            )
        finally:
            self._pipeline.maybe_free_model_hooks()

    def interpolate(
        self,
        inputs: InterpolateInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``Interpolate`` says."""
        ends = {"image": inputs.first_frame, "last_image": inputs.last_frame}
        try:
            return self._pictures.between(inputs.prompt, settings, progress, cancel, **ends)
        finally:
            self._pipeline.maybe_free_model_hooks()


ENGINE = SkyReelsForcing
