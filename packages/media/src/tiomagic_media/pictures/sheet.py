"""Pictures of many frames: the contact sheet of one video, and labelled pictures side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from PIL import Image, ImageDraw, ImageFont

from tiomagic_domain.ports.pictures import ContactSheet
from tiomagic_media.decode.frames import even_indices
from tiomagic_media.pictures.film import Film

PAPER: Final = (250, 250, 248)
INK: Final = (32, 32, 36)
FAINT: Final = (120, 120, 126)
GAP: Final = 12
"""Pixels between cells, and around all of them."""
TEXT_SIZE: Final = 15
"""Pixels; the line is a little higher."""
SEAM_MARK: Final = "seam "
"""Stands before the time of the first frame after a seam."""
KEYFRAME_MARK: Final = "keyframe "
"""Stands before the time of a frame that was given as a picture."""
LINE: Final = 22
"""Pixels from one line of text to the next."""
CELL_WIDTH: Final = 240
"""Default width of a cell of a grid, in pixels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetCell:
    """One labelled picture of a grid."""

    image: Image.Image | None
    """None when the picture is missing; the label says why."""
    label: str = ""


def draw_contact_sheet(film: Film, sheet: ContactSheet) -> Image.Image:
    """Return a picture of frames spread evenly over a video, each with its time.

    The first and the last frame are always among them; so are the two at a seam and the keyframes,
    each with a mark.

    Args:
        film: The video, with its mask shown in it already.
        sheet: What is shown.
    """
    total, seam = len(film.frames), sheet.seam
    marks = {index: KEYFRAME_MARK for index in sheet.keyframes if 0 <= index < total}
    at_seam = []
    if seam is not None and 0 < seam < total:
        at_seam, marks[seam] = [seam - 1, seam], SEAM_MARK
    indices = _with_frames(even_indices(total, min(sheet.count, total)), {*at_seam, *marks})
    cells = [
        SheetCell(
            image=film.image(index),
            label=f"{marks.get(index, '')}{index / float(film.fps):.2f} s",
        )
        for index in indices
    ]
    if seam == 0:
        cells.append(SheetCell(image=film.image(0), label=f"{SEAM_MARK}{0:.2f} s"))
    rows = [cells[at : at + sheet.columns] for at in range(0, len(cells), sheet.columns)]
    return draw_grid(rows, width=sheet.width, title=sheet.title)


def _with_frames(indices: list[int], wanted: set[int]) -> list[int]:
    """Return indices with the wanted ones, in place of the nearest of the others but the ends."""
    ends, shown = {indices[0], indices[-1]}, set(indices)
    for index in sorted(wanted - shown):
        others = sorted(shown - ends - wanted, key=lambda other: (abs(other - index), other))
        shown -= set(others[:1])
        shown.add(index)
    return sorted(shown)


def draw_grid(
    rows: Sequence[Sequence[SheetCell]], *, width: int = CELL_WIDTH, title: str = ""
) -> Image.Image:
    """Return labelled pictures in rows and columns.

    Args:
        rows: At least one cell in all. Each picture keeps its shape.
        width: Of each cell, in pixels.
        title: Stands above; cut when it is too long.
    """
    heights = [max((_height(cell, width) for cell in row), default=0) for row in rows]
    columns = max(len(row) for row in rows)
    head = LINE + GAP if title else 0
    size = (
        GAP + columns * (width + GAP),
        GAP + head + sum(height + LINE + GAP for height in heights),
    )
    sheet = Image.new("RGB", size, PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(TEXT_SIZE)
    if title:
        draw.text((GAP, GAP), _fitted(title, font, size[0] - 2 * GAP), fill=INK, font=font)
    top = GAP + head
    for row, height in zip(rows, heights, strict=True):
        for column, cell in enumerate(row):
            left = GAP + column * (width + GAP)
            _place(sheet, draw, cell, (left, top), (width, height))
            label = _fitted(cell.label, font, width)
            draw.text((left, top + height + 3), label, fill=FAINT, font=font)
        top += height + LINE + GAP
    return sheet


def _place(
    sheet: Image.Image,
    draw: ImageDraw.ImageDraw,
    cell: SheetCell,
    corner: tuple[int, int],
    size: tuple[int, int],
) -> None:
    if cell.image is None:
        left, top = corner
        draw.rectangle((left, top, left + size[0] - 1, top + size[1] - 1), outline=FAINT)
        return
    height = _height(cell, size[0])
    enlarged = size[0] >= 2 * cell.image.width
    how = Image.Resampling.NEAREST if enlarged else Image.Resampling.LANCZOS
    sheet.paste(cell.image.convert("RGB").resize((size[0], height), how), corner)


def _height(cell: SheetCell, width: int) -> int:
    if cell.image is None:
        return width * 9 // 16
    return max(1, math.ceil(cell.image.height * width / cell.image.width))


def _fitted(text: str, font: ImageFont.ImageFont | ImageFont.FreeTypeFont, width: int) -> str:
    """Return the text as one line, its end replaced by dots when it is wider than that."""
    line = " ".join(text.split())
    if font.getlength(line) <= width:
        return line
    while line and font.getlength(f"{line}…") > width:
        line = line[:-1]
    return f"{line.rstrip()}…"
