"""HunyuanVideo 1.5: a video from words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.features import TextToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._hunyuan15 import Hunyuan15Engine


class Hunyuan15TextToVideo(Hunyuan15Engine):
    """Runs ``HunyuanVideo15Pipeline``."""

    pipeline = "HunyuanVideo15Pipeline"

    def text_to_video(
        self,
        inputs: TextToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``TextToVideo`` says."""
        return self._generate(inputs.prompt, settings, progress, cancel, {})


ENGINE = Hunyuan15TextToVideo
