"""The port ``Pictures`` with PyAV and Pillow."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import Problem, ProcessingError, ValidationError
from tiomagic_domain.ports import ContactSheet, LabelledVideo
from tiomagic_media.decode.frames import even_indices
from tiomagic_media.encode.mp4 import write_mp4
from tiomagic_media.pictures.exports import export_film, save_picture, write_frames
from tiomagic_media.pictures.film import Film, read_film
from tiomagic_media.pictures.masked import show_mask
from tiomagic_media.pictures.montage import Strip, rate_of, render_montage
from tiomagic_media.pictures.resizing import write_resized
from tiomagic_media.pictures.sheet import SheetCell, draw_contact_sheet, draw_grid

if TYPE_CHECKING:
    from tiomagic_domain.ports import Pictures


class PictureMaker:
    """Makes pictures and files of finished videos; see the port."""

    def contact_sheet(self, video: Path, target: Path, sheet: ContactSheet) -> Path:
        """Write a PNG of frames with their times; see the port."""
        _check(count=sheet.count, columns=sheet.columns, width=sheet.width)
        film = read_film(video)
        if sheet.mask is not None:
            film = show_mask(film, read_film(sheet.mask))
        return save_picture(draw_contact_sheet(film, sheet), target)

    def poster(self, video: Path, target: Path) -> Path:
        """Write the frame in the middle as PNG; see the port."""
        film = read_film(video)
        return save_picture(film.image(len(film.frames) // 2), target)

    def export(
        self, video: Path, target: Path, *, width: int | None = None, frame: int = -1
    ) -> Path:
        """Write a video in another format; see the port."""
        if target.suffix.lower() == ".mp4":
            return write_resized(video, target, width=width)
        return export_film(read_film(video), target, width=width, frame=frame)

    def frames(self, video: Path, folder: Path, *, width: int | None = None) -> Path:
        """Write all frames as numbered PNG; see the port."""
        _check(**({} if width is None else {"width": width}))
        write_frames(read_film(video).scaled(width), folder)
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
        """Write a PNG of several videos; see the port."""
        _check(count=count, width=width)
        cells = [[cell for item in row for cell in _cells(item, count)] for row in rows]
        return save_picture(draw_grid(cells, width=width, title=title), target)

    def side_by_side(
        self, rows: Sequence[Sequence[LabelledVideo]], target: Path, *, width: int, title: str
    ) -> Path:
        """Write an mp4 of several videos; see the port."""
        _check(width=width)
        strips = [
            # Scaled while they are read: a grid of large films would not fit into memory.
            [Strip(film=_film(item, width), label=item.label) for item in row]
            for row in rows
        ]
        if not any(strip.film for row in strips for strip in row):
            raise ValidationError("there is no video to show side by side", code=ErrorCode.NO_VIDEO)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ProcessingError(f"{str(target)!r} cannot be written: {error}") from error
        frames = render_montage(strips, width=width, title=title)
        write_mp4(target, frames, fps=rate_of(strips), recipe={})
        return target


def _film(item: LabelledVideo, width: int) -> Film | None:
    return None if item.video is None else read_film(item.video).scaled(width)


def _cells(item: LabelledVideo, count: int) -> list[SheetCell]:
    """Return frames of a video as cells; only the first has the label."""
    if item.video is None:
        return [SheetCell(image=None, label=item.label), *[SheetCell(image=None)] * (count - 1)]
    film = read_film(item.video)
    # A short film repeats frames, so that the columns of a sheet stay aligned.
    shown = even_indices(len(film.frames), count)
    images = [film.image(index) for index in shown]
    return [SheetCell(image=image, label="" if n else item.label) for n, image in enumerate(images)]


def _check(**numbers: int) -> None:
    """Refuse numbers below 1.

    Raises:
        ValidationError: names each of them.
    """
    problems = [
        Problem(field=name, message="must be 1 or more", given=repr(number), nearest=1)
        for name, number in numbers.items()
        if number < 1
    ]
    if problems:
        raise ValidationError.of(problems, subject="a picture of a video")


if TYPE_CHECKING:
    _: Pictures = PictureMaker()
