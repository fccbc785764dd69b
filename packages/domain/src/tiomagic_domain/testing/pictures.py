"""The port ``Pictures`` for tests: it writes small files and remembers the last grid."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tiomagic_domain.errors import ResourceNotFoundError
from tiomagic_domain.ports.pictures import Labelled

if TYPE_CHECKING:
    from tiomagic_domain.ports.pictures import Pictures


class FakePictures:
    """Writes the name of what was asked for into each target.

    Attributes:
        rows: The last grid that was drawn or played.
    """

    def __init__(self) -> None:
        self.rows: Sequence[Sequence[Labelled]] = ()

    def contact_sheet(
        self,
        video: Path,
        target: Path,
        *,
        count: int,
        columns: int,
        width: int,
        title: str,
    ) -> Path:
        """Write the numbers that were asked for."""
        return _write(target, f"sheet {count} {columns} {width} {title}", video)

    def poster(self, video: Path, target: Path) -> Path:
        """Write the word."""
        return _write(target, "poster", video)

    def export(
        self, video: Path, target: Path, *, width: int | None = None, frame: int = -1
    ) -> Path:
        """Write the numbers that were asked for."""
        return _write(target, f"export {width} {frame}", video)

    def frames(self, video: Path, folder: Path, *, width: int | None = None) -> Path:
        """Write one file into the folder."""
        _write(folder / f"{folder.name}_0001.png", f"frame {width}", video)
        return folder

    def grid(
        self,
        rows: Sequence[Sequence[Labelled]],
        target: Path,
        *,
        count: int,
        width: int,
        title: str,
    ) -> Path:
        """Remember the rows."""
        self.rows = rows
        return _write(target, f"grid {count} {width} {title}")

    def side_by_side(
        self, rows: Sequence[Sequence[Labelled]], target: Path, *, width: int, title: str
    ) -> Path:
        """Remember the rows."""
        self.rows = rows
        return _write(target, f"side by side {width} {title}")


def _write(target: Path, text: str, video: Path | None = None) -> Path:
    if video is not None and not video.is_file():
        raise ResourceNotFoundError(f"there is no file {str(video)!r}")
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_text(text, encoding="utf-8")
    return target


if TYPE_CHECKING:
    _: Pictures = FakePictures()
