"""Port: the mask maker, which finds a person in a video and draws where it is."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from tiomagic_domain.media import Media
from tiomagic_domain.progress import CancelToken, ProgressSink


class MaskMaker(Protocol):
    """Makes the mask of the person in a video."""

    def make_mask(
        self,
        video: Media,
        target: Path,
        *,
        outline: bool,
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Path:
        """Write an mp4 that is white where the person is, black elsewhere, and return its path.

        It has the length, the rate and the shape of the video.

        Args:
            video: One person moves in it; of several, one is followed.
            target: The mp4; replaced when it is there.
            outline: True to follow the person's outline; False for the box around the person, as
                Wan Animate's authors have it.
            progress: Gets the download of the weights, and each finished frame.
            cancel: Asked before each frame.

        Raises:
            GenerationError: when no frame shows a person.
            GenerationCanceledError: when ``cancel`` was set; nothing is written then.
            MissingDependencyError: when a package is not installed.
            AuthenticationError, APIError, ConfigurationError: when the weights cannot be had.
            ProcessingError: when the target cannot be written.
        """
        ...
