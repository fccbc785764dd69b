"""Feature port: image to video, a video that begins with a picture."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from tiomagic_domain.features import ImageToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink


class ImageToVideo(Protocol):
    """A model engine whose video begins with a picture."""

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip. The picture is frame 0, cropped to the aspect of the size, never stretched.

        Arguments, result and errors are those of ``TextToVideo.text_to_video``.
        """
        ...
