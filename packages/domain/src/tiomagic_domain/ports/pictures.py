"""Port: contact sheets, grids, exports and other files made from finished videos."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledVideo:
    """One cell of a grid of videos."""

    video: Path | None
    """None for a cell without a video; an empty frame takes its place."""
    label: str = ""
    """One line, cut when it is too long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactSheet:
    """What a contact sheet shows, and how."""

    count: int = 12
    """Frames, at least 1; a shorter video gives all of its own."""
    columns: int = 4
    """Frames in a row, at least 1."""
    width: int = 240
    """Of each frame, in pixels, at least 1."""
    title: str = ""
    """Stands above; cut when it is too long."""
    seam: int | None = None
    """The first frame after a seam, which is shown beside the frame before it; 0 for a loop, whose
    first frame is shown once more after its last one. None, or one that the video does not have,
    for no seam."""
    keyframes: Sequence[int] = ()
    """Frames that were given as pictures, which have a mark; those that the video does not have are
    ignored."""
    mask: Path | None = None
    """A video whose white is shown in red over the frames of the same times; of one frame, over
    all. None to show the video alone."""


class Pictures(Protocol):
    """Makes pictures of videos, and files for other programs, whole or not at all.

    All methods return their target, and raise ``ResourceNotFoundError`` when a video is gone,
    ``ValidationError`` when it cannot be read or a number is out of range, and ``ProcessingError``
    when the target cannot be written.
    """

    def contact_sheet(self, video: Path, target: Path, sheet: ContactSheet) -> Path:
        """Write a PNG of frames spread evenly over a video, each with its time.

        Args:
            video: The source.
            target: The PNG.
            sheet: What is on it.
        """
        ...

    def poster(self, video: Path, target: Path) -> Path:
        """Write the frame in the middle of a video as PNG."""
        ...

    def export(
        self, video: Path, target: Path, *, width: int | None = None, frame: int = -1
    ) -> Path:
        """Write a video in the format of the target's ending.

        Args:
            video: The source.
            target: ``.gif``, ``.webp``, ``.png``, ``.mov`` (ProRes), ``.mkv`` (FFV1) or ``.mp4``
                (with the recipe and the sound of the video); another file than the video.
            width: Pixels, the shape is kept; None for the video's own. Even for an ``.mp4``.
            frame: Which one a ``.png`` shows; negative counts from the end.
        """
        ...

    def frames(self, video: Path, folder: Path, *, width: int | None = None) -> Path:
        """Write all frames of a video as numbered PNG into an empty or new folder.

        Args:
            video: The source.
            folder: Its name is the first part of each frame's.
            width: Pixels, the shape is kept; None for the video's own.
        """
        ...

    def grid(
        self,
        rows: Sequence[Sequence[LabelledVideo]],
        target: Path,
        *,
        count: int,
        width: int,
        title: str,
    ) -> Path:
        """Write a PNG that shows frames of several videos, each over its label.

        Args:
            rows: Rows of videos; at least one cell.
            target: The PNG.
            count: Frames of each video, at least 1.
            width: Of each frame, in pixels, at least 1.
            title: Stands above.
        """
        ...

    def side_by_side(
        self, rows: Sequence[Sequence[LabelledVideo]], target: Path, *, width: int, title: str
    ) -> Path:
        """Write an mp4 in which several videos play at once, each over its label.

        A shorter one stays on its last frame until the longest is over.

        Args:
            rows: Rows of videos; at least one has a video.
            target: The mp4.
            width: Of each video, in pixels, at least 1.
            title: Stands above.
        """
        ...
