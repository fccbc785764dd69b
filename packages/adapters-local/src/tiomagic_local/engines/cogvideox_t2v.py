"""CogVideoX's text models: a video from words."""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._cogvideox import CogVideoXEngine


class CogVideoXTextToVideo(CogVideoXEngine):
    """Runs ``CogVideoXPipeline``."""

    pipeline = "CogVideoXPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO,)


ENGINE = CogVideoXTextToVideo
