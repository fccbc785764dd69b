"""Wan's text model: a video from words."""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._wan import WanEngine


class WanTextToVideo(WanEngine):
    """Runs ``WanPipeline``."""

    pipeline = "WanPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO,)


ENGINE = WanTextToVideo
