"""A fake joiner of videos: it puts their bytes one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.media import Media, Seam
from tiomagic_domain.ports.video_joiner import JoinedVideo

if TYPE_CHECKING:
    from tiomagic_domain.ports.video_joiner import VideoJoiner

SEAM = Seam(frame=16, rmse=6.0, median_step_rmse=4.0)
"""The seam of every result."""


class FakeVideoJoiner:
    """Frames are bytes that name them; see :class:`FakeMediaReader`.

    Attributes:
        skipped: Frames that each ``join`` was to leave out.
    """

    def __init__(self) -> None:
        self.skipped: list[int] = []

    def read_ending(self, video: Media, *, count: int, fps: float) -> Sequence[object]:
        """Return the names of the last frames."""
        _read(video.path)
        own = video.fps or fps
        places = [video.frames - 1 - round(step * own / fps) for step in reversed(range(count))]
        return [f"{video.sha256} frame {max(place, 0)}".encode() for place in places]

    def join(self, before: Path, after: Path, target: Path, *, skip: int) -> JoinedVideo:
        """Write both, one after the other."""
        self.skipped.append(skip)
        return _write(target, _read(before) + _read(after))

    def close_loop(self, video: Path, target: Path) -> JoinedVideo:
        """Write the video again."""
        return _write(target, _read(video))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ProcessingError(f"{path.name} cannot be read: {error}") from error


def _write(target: Path, content: bytes) -> JoinedVideo:
    try:
        target.write_bytes(content)
    except OSError as error:
        raise ProcessingError(f"{target.name} cannot be written: {error}") from error
    return JoinedVideo(frames=32, fps=16.0, width=832, height=480, seam=SEAM, notes=("joined",))


if TYPE_CHECKING:
    _: VideoJoiner = FakeVideoJoiner()
