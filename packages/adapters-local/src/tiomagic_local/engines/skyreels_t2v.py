"""SkyReels-V2's text model: Wan's calls on its own architecture."""

from __future__ import annotations

from tiomagic_local.engines.wan_t2v import WanTextToVideo


class SkyReelsTextToVideo(WanTextToVideo):
    """Runs ``SkyReelsV2Pipeline``."""

    pipeline = "SkyReelsV2Pipeline"


ENGINE = SkyReelsTextToVideo
