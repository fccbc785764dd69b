"""LTX-Video 0.9: a video from words, or one that begins with a picture.

Its repository holds one set of weights and names the pipeline for words. The one for pictures is
set up beside it on the same components.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import ImageToVideoInputs, TextToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._ltx import LTXEngine
from tiomagic_local.engines._shared.sibling import sibling


class _LTXImageToVideo(LTXEngine):
    """Runs ``LTXImageToVideoPipeline``."""

    pipeline = "LTXImageToVideoPipeline"

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        conditions = {"image": self._picture(inputs.image, settings)}
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)


class LTXVideo(LTXEngine):
    """Runs ``LTXPipeline``, and ``LTXImageToVideoPipeline`` on the same weights."""

    pipeline = "LTXPipeline"

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        self._pictures = _LTXImageToVideo(sibling(pipeline, _LTXImageToVideo.pipeline), card)

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
            return self._pictures.image_to_video(inputs, settings, progress, cancel)
        finally:
            self._pipeline.maybe_free_model_hooks()


ENGINE = LTXVideo
