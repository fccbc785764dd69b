"""Kandinsky 5.0 Pro: a video that begins with a picture."""

from __future__ import annotations

from typing import ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines.kandinsky5 import Kandinsky5


class Kandinsky5ImageToVideo(Kandinsky5):
    """Runs ``Kandinsky5I2VPipeline``."""

    pipeline = "Kandinsky5I2VPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.IMAGE_TO_VIDEO,)


ENGINE = Kandinsky5ImageToVideo
