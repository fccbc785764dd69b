"""The port ``Pictures`` for tests: it writes small files and remembers the last grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from tiomagic_domain.errors import (
    Problem,
    ProcessingError,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.ports.pictures import ContactSheet, LabelledVideo

if TYPE_CHECKING:
    from tiomagic_domain.ports.pictures import Pictures


EXPORT_SUFFIXES: Final = frozenset({".gif", ".webp", ".png", ".mov", ".mkv", ".mp4"})
"""What a video can be exported as."""


class FakePictures:
    """Writes the name of what was asked for into each target.

    Attributes:
        rows: The last grid that was drawn or played.
    """

    def __init__(self) -> None:
        self.rows: Sequence[Sequence[LabelledVideo]] = ()

    def contact_sheet(self, video: Path, target: Path, sheet: ContactSheet) -> Path:
        """Write the numbers that were asked for."""
        _check(count=sheet.count, columns=sheet.columns, width=sheet.width)
        shown = "" if sheet.seam is None else f" seam {sheet.seam}"
        shown += "".join(f" keyframe {frame}" for frame in sheet.keyframes)
        shown += f" under {sheet.mask.name}" if sheet.mask is not None else ""
        numbers = f"{sheet.count} {sheet.columns} {sheet.width}"
        return _write(target, f"sheet {numbers} {sheet.title}{shown}", video)

    def poster(self, video: Path, target: Path) -> Path:
        """Write the word."""
        return _write(target, "poster", video)

    def export(
        self, video: Path, target: Path, *, width: int | None = None, frame: int = -1
    ) -> Path:
        """Write the numbers that were asked for."""
        if target.suffix not in EXPORT_SUFFIXES:
            raise ValidationError(f"videos cannot be written as {target.suffix!r}")
        _check(**({} if width is None else {"width": width}))
        return _write(target, f"export {width} {frame}", video)

    def frames(self, video: Path, folder: Path, *, width: int | None = None) -> Path:
        """Write one file into the folder."""
        _check(**({} if width is None else {"width": width}))
        if folder.is_dir() and any(folder.iterdir()):
            raise ValidationError(f"{str(folder)!r} is there and not an empty folder")
        _write(folder / f"{folder.name}_0001.png", f"frame {width}", video)
        return folder

    def grid(
        self,
        rows: Sequence[Sequence[LabelledVideo]],
        target: Path,
        *,
        count: int,
        width: int,
        title: str,
    ) -> Path:
        """Remember the rows."""
        _check(count=count, width=width)
        self.rows = rows
        return _write(target, f"grid {count} {width} {title}", *_videos(rows))

    def side_by_side(
        self, rows: Sequence[Sequence[LabelledVideo]], target: Path, *, width: int, title: str
    ) -> Path:
        """Remember the rows."""
        _check(width=width)
        videos = _videos(rows)
        if not videos:
            raise ValidationError("there is no video to show side by side", code="no_video")
        self.rows = rows
        return _write(target, f"side by side {width} {title}", *videos)


def _videos(rows: Sequence[Sequence[LabelledVideo]]) -> list[Path]:
    return [cell.video for row in rows for cell in row if cell.video is not None]


def _check(**numbers: int) -> None:
    problems = [
        Problem(field=name, message="must be 1 or more", given=repr(number), nearest=1)
        for name, number in numbers.items()
        if number < 1
    ]
    if problems:
        raise ValidationError.of(problems, subject="a picture of a video")


def _write(target: Path, text: str, *videos: Path) -> Path:
    for video in videos:
        if not video.is_file():
            raise ResourceNotFoundError(f"there is no file {str(video)!r}")
        if not video.stat().st_size:
            raise ValidationError(f"{str(video)!r} is no video")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise ProcessingError(f"{str(target)!r} cannot be written: {error}") from error
    return target


if TYPE_CHECKING:
    _: Pictures = FakePictures()
