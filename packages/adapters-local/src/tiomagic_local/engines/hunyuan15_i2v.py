"""HunyuanVideo 1.5: a video that begins with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tiomagic_domain.features import ImageToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._hunyuan15 import Hunyuan15Engine


class Hunyuan15ImageToVideo(Hunyuan15Engine):
    """Runs ``HunyuanVideo15ImageToVideoPipeline``."""

    pipeline = "HunyuanVideo15ImageToVideoPipeline"
    # The picture's, not arguments.
    consumed_settings: ClassVar[frozenset[str]] = Hunyuan15Engine.consumed_settings | {
        "width",
        "height",
    }

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``ImageToVideo`` says."""
        size = (int(settings["height"]), int(settings["width"]))

        def asked_for(*_shape: int, **_rest: int) -> tuple[int, int]:
            return size

        # It takes the size from a list, by the picture's shape, and passes over the very size of
        # the picture where rounding puts the list's shape on the other side of it.
        self._pipeline.video_processor.calculate_default_height_width = asked_for
        conditions = {"image": self._picture(inputs.image, settings)}
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)


ENGINE = Hunyuan15ImageToVideo
