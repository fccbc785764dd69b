"""LTX-Video 0.9: a video from words, or one that begins with a picture.

Its repository holds one set of weights and names the pipeline for words. The one for pictures is
set up beside it on the same components.
"""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._ltx import LTXEngine


class LTXVideo(LTXEngine):
    """Runs ``LTXPipeline``, and ``LTXImageToVideoPipeline`` on the same weights."""

    pipeline = "LTXPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO)
    picture_pipeline: ClassVar[str | None] = "LTXImageToVideoPipeline"


ENGINE = LTXVideo
