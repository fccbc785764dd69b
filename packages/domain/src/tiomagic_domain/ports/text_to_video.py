"""Feature port: text to video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiomagic_domain.features import TextToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink


class TextToVideo(Protocol):
    """A model engine that makes a video from words."""

    def text_to_video(
        self,
        inputs: TextToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip.

        Args:
            inputs: The prompt.
            settings: Every setting of the model's schema, validated, with the seed.
            progress: Called with each phase and each denoising step.
            cancel: Checked at least before each denoising step.

        Returns:
            Frames uint8 (T, H, W, 3) with T, H and W as in the settings.

        Raises:
            GenerationCanceledError: when ``cancel`` was set; the engine stays usable.
            GenerationError: when the model could not make the video.
        """
        ...
