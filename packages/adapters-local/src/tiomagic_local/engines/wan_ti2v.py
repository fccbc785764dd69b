"""Wan's small model of two features: a video from words, or one that begins with a picture.

Its repository holds one set of weights and names the pipeline for words. The one for pictures is
set up beside it on the same components.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import ImageToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.sibling import sibling
from tiomagic_local.engines.wan_i2v import WanImageToVideo
from tiomagic_local.engines.wan_t2v import WanTextToVideo


class WanTextAndImageToVideo(WanTextToVideo):
    """Runs ``WanPipeline``, and ``WanImageToVideoPipeline`` on the same weights."""

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        self._pictures = WanImageToVideo(sibling(pipeline, WanImageToVideo.pipeline), card)

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


ENGINE = WanTextAndImageToVideo
