"""Wan-Animate-2, distilled: the same in ten steps and without guidance."""

from __future__ import annotations

from tiomagic_local.engines.wan_animate_2 import WanAnimate2


class WanAnimate2Distilled(WanAnimate2):
    """Runs ``WanAnimate2DistilledModularPipeline``."""

    pipeline = "WanAnimate2DistilledModularPipeline"


ENGINE = WanAnimate2Distilled
