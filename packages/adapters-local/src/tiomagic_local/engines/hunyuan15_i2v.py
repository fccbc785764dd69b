"""HunyuanVideo 1.5: a video that begins with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tiomagic_domain.features import Feature
from tiomagic_local.engines._hunyuan15 import Hunyuan15Engine


class Hunyuan15ImageToVideo(Hunyuan15Engine):
    """Runs ``HunyuanVideo15ImageToVideoPipeline``."""

    pipeline = "HunyuanVideo15ImageToVideoPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.IMAGE_TO_VIDEO,)
    # The picture's, not arguments.
    consumed_settings: ClassVar[frozenset[str]] = Hunyuan15Engine.consumed_settings | {
        "width",
        "height",
    }

    def _set_up(self, settings: Mapping[str, Any]) -> None:
        super()._set_up(settings)
        size = (int(settings["height"]), int(settings["width"]))

        def asked_for(*_shape: int, **_rest: int) -> tuple[int, int]:
            return size

        # It takes the size from a list, by the picture's shape, and passes over the very size of
        # the picture where rounding puts the list's shape on the other side of it.
        self._pipeline.video_processor.calculate_default_height_width = asked_for


ENGINE = Hunyuan15ImageToVideo
