"""Wan's picture models: a video that begins with a picture, or goes between two."""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._wan import WanEngine


class WanImageToVideo(WanEngine):
    """Runs ``WanImageToVideoPipeline``."""

    pipeline = "WanImageToVideoPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE)
    # The picture is read once; in bf16 its encoder saves 1.2 GiB and blurs what it sees.
    fp32: ClassVar[tuple[str, ...]] = ("vae", "image_encoder")


ENGINE = WanImageToVideo
