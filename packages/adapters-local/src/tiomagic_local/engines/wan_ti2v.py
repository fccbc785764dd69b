"""Wan's small model of two features: a video from words, or one that begins with a picture.

Its repository holds one set of weights and names the pipeline for words. The one for pictures is
set up beside it on the same components.
"""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines.wan_t2v import WanTextToVideo


class WanTextAndImageToVideo(WanTextToVideo):
    """Runs ``WanPipeline``, and ``WanImageToVideoPipeline`` on the same weights."""

    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO)
    picture_pipeline: ClassVar[str | None] = "WanImageToVideoPipeline"


ENGINE = WanTextAndImageToVideo
