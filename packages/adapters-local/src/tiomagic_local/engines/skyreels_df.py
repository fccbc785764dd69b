"""SkyReels-V2 with diffusion forcing: words, a picture, or two, on one set of weights.

The repository names the pipeline for words. The one for pictures is set up beside it on the same
components.
"""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._wan import WanEngine


class SkyReelsForcing(WanEngine):
    """Runs ``SkyReelsV2DiffusionForcingPipeline``, and the one for pictures on its weights."""

    pipeline = "SkyReelsV2DiffusionForcingPipeline"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature.TEXT_TO_VIDEO,
        Feature.IMAGE_TO_VIDEO,
        Feature.INTERPOLATE,
    )
    picture_pipeline: ClassVar[str | None] = "SkyReelsV2DiffusionForcingImageToVideoPipeline"


ENGINE = SkyReelsForcing
