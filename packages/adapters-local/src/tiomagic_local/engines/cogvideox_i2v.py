"""CogVideoX's picture models: a video that begins with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.features import ImageToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._cogvideox import CogVideoXEngine


class CogVideoXImageToVideo(CogVideoXEngine):
    """Runs ``CogVideoXImageToVideoPipeline``."""

    pipeline = "CogVideoXImageToVideoPipeline"

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``ImageToVideo`` says."""
        conditions = {"image": self._picture(inputs.image, settings)}
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)


ENGINE = CogVideoXImageToVideo
