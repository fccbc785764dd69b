"""SkyReels-V2's picture models: Wan's calls on its own architecture."""

from __future__ import annotations

from tiomagic_local.engines.wan_i2v import WanImageToVideo


class SkyReelsImageToVideo(WanImageToVideo):
    """Runs ``SkyReelsV2ImageToVideoPipeline``."""

    pipeline = "SkyReelsV2ImageToVideoPipeline"


ENGINE = SkyReelsImageToVideo
