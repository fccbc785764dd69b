"""CogVideoX's picture models: a video that begins with a picture."""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._cogvideox import CogVideoXEngine


class CogVideoXImageToVideo(CogVideoXEngine):
    """Runs ``CogVideoXImageToVideoPipeline``."""

    pipeline = "CogVideoXImageToVideoPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.IMAGE_TO_VIDEO,)


ENGINE = CogVideoXImageToVideo
