"""HunyuanVideo 1.5: a video from words."""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._hunyuan15 import Hunyuan15Engine


class Hunyuan15TextToVideo(Hunyuan15Engine):
    """Runs ``HunyuanVideo15Pipeline``."""

    pipeline = "HunyuanVideo15Pipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO,)


ENGINE = Hunyuan15TextToVideo
