"""HunyuanVideo 1.5: a video from words."""

from __future__ import annotations

from tiomagic_domain.features import Feature
from tiomagic_local.engines._hunyuan15 import Hunyuan15Engine


class Hunyuan15TextToVideo(Hunyuan15Engine):
    """Runs ``HunyuanVideo15Pipeline``."""

    pipeline = "HunyuanVideo15Pipeline"
    features = (Feature.TEXT_TO_VIDEO,)


ENGINE = Hunyuan15TextToVideo
