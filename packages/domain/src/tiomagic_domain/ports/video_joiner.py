"""Port: the video joiner, which takes the end of a video and joins what follows it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from tiomagic_domain.media import Media, Seam


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinedVideo:
    """A video that was put together, or closed to a loop."""

    frames: int
    """Frames in all."""
    fps: float
    """Frames a second."""
    width: int
    """Pixels."""
    height: int
    """Pixels."""
    seam: Seam
    """Where the parts meet."""
    notes: tuple[str, ...] = ()
    """What had to be changed for it, in words: sound of one part alone."""


class VideoJoiner(Protocol):
    """Takes the end of a video, joins videos, and closes loops.

    All methods raise ``ProcessingError`` when a video cannot be read any more.
    """

    def read_ending(self, video: Media, *, count: int, fps: float) -> Sequence[object]:
        """Return the last frames of a video, each as a ``MediaReader`` takes a picture.

        Args:
            video: The source.
            count: How many, at least 1; the last one is the last frame. A video that is too short
                repeats its first frame.
            fps: Frames a second at which they are played, to keep the video's own pace.
        """
        ...

    def join(self, before: Path, after: Path, target: Path, *, skip: int) -> JoinedVideo:
        """Write an mp4 of one video and then another.

        It has the first one's rate and the second one's size; sound where either has some.

        Args:
            before: What is continued.
            after: What follows.
            target: The mp4, another file than both.
            skip: First frames of ``after`` that ``before`` has, too.

        Raises:
            ProcessingError: when the file cannot be written, or nothing follows.
        """
        ...

    def close_loop(self, video: Path, target: Path) -> JoinedVideo:
        """Write an mp4 without the last frame of a video, which its first one repeats.

        Args:
            video: At least two frames.
            target: The mp4, another file than the video.

        Raises:
            ProcessingError: when the file cannot be written.
        """
        ...
