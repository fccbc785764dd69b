"""The port ``VideoJoiner``. Loads numpy, Pillow and PyAV when it is used, not before."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tiomagic_domain.media import Media
    from tiomagic_domain.ports import JoinedVideo, VideoJoiner


class LocalVideoJoiner:
    """Takes the end of a video, joins videos and closes loops; see the port."""

    def read_ending(self, video: Media, *, count: int, fps: float) -> Sequence[object]:
        """Return the last frames of a video; see the port."""
        from tiomagic_media.joining import assembly

        return assembly.read_ending(video, count=count, fps=fps)

    def join(self, before: Path, after: Path, target: Path, *, skip: int) -> JoinedVideo:
        """Write one video and then another; see the port."""
        from tiomagic_media.joining import assembly

        return assembly.join(before, after, target, skip=skip)

    def close_loop(self, video: Path, target: Path) -> JoinedVideo:
        """Write a video without its last frame; see the port."""
        from tiomagic_media.joining import assembly

        return assembly.close_loop(video, target)


if TYPE_CHECKING:
    _: VideoJoiner = LocalVideoJoiner()
