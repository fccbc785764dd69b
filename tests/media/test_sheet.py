"""Contact sheets and grids of labelled pictures."""

from fractions import Fraction

import numpy as np
import pytest
from PIL import Image

from tiomagic_domain.ports.pictures import ContactSheet
from tiomagic_media.pictures.film import Film
from tiomagic_media.pictures.sheet import (
    CELL_WIDTH,
    GAP,
    LINE,
    PAPER,
    SheetCell,
    draw_contact_sheet,
    draw_grid,
)


def flat_film(count: int) -> Film:
    """Frames of one grey each: frame i has the value i."""
    values = np.arange(count, dtype=np.uint8)
    frames = np.broadcast_to(values[:, None, None, None], (count, 30, 40, 3))
    return Film(frames=np.ascontiguousarray(frames), fps=Fraction(10))


def cell_values(sheet: Image.Image, columns: int, rows: int, height: int, head: int) -> list[int]:
    """The grey in the middle of each cell."""
    pixels = np.asarray(sheet)
    return [
        int(
            pixels[
                GAP + head + row * (height + LINE + GAP) + height // 2,
                GAP + column * (CELL_WIDTH + GAP) + CELL_WIDTH // 2,
                0,
            ]
        )
        for row in range(rows)
        for column in range(columns)
    ]


@pytest.mark.parametrize("title", ["", "a cat walks"])
def test_a_sheet_shows_frames_in_order_with_the_ends(title):
    """Frames are spread evenly, the first and the last among them, row by row."""
    sheet = draw_contact_sheet(flat_film(21), ContactSheet(count=6, columns=3, title=title))
    head = LINE + GAP if title else 0
    assert cell_values(sheet, 3, 2, CELL_WIDTH * 3 // 4, head) == [0, 4, 8, 12, 16, 20]


def test_a_short_video_gives_all_of_its_frames():
    """Twelve are asked for, three are there: no frame comes twice."""
    sheet = draw_contact_sheet(flat_film(3), ContactSheet())
    assert sheet.width == GAP + 3 * (CELL_WIDTH + GAP)
    assert cell_values(sheet, 3, 1, CELL_WIDTH * 3 // 4, 0) == [0, 1, 2]


def test_labels_are_written():
    """Below each picture there is ink; two times give two different labels."""
    sheet = np.asarray(draw_contact_sheet(flat_film(2), ContactSheet(count=2, columns=2)))
    below = sheet[GAP + CELL_WIDTH * 3 // 4 + 2 : -GAP]
    left, right = below[:, : CELL_WIDTH + GAP], below[:, CELL_WIDTH + GAP : 2 * (CELL_WIDTH + GAP)]
    assert (left != PAPER).any()
    assert (left != right).any()


def test_a_label_never_leaves_its_cell():
    """A long label ends with dots at its cell's edge."""
    picture = Image.new("RGB", (40, 30))
    sheet = np.asarray(draw_grid([[SheetCell(image=picture, label="very long " * 40)]], width=200))
    assert (sheet[:, GAP + 200 :] == PAPER).all()


def test_a_missing_picture_leaves_its_place():
    """A cell without a picture keeps its room, so that the grid stays readable."""
    picture = Image.new("RGB", (160, 90), (10, 20, 30))
    row = [
        SheetCell(image=None, label="failed: out of memory"),
        SheetCell(image=picture, label="seed 7"),
    ]
    sheet = np.asarray(draw_grid([row], width=160))
    assert tuple(sheet[GAP + 45, GAP + 160 + GAP + 80]) == (10, 20, 30)
    assert tuple(sheet[GAP + 45, GAP + 80]) == PAPER


@pytest.mark.parametrize(
    ("seam", "shown"),
    [
        (9, [0, 4, 8, 9, 16, 20]),
        (1, [0, 1, 8, 12, 16, 20]),
        (0, [0, 4, 8, 12, 16, 20, 0]),
        (40, [0, 4, 8, 12, 16, 20]),
    ],
)
def test_the_frames_at_a_seam_are_shown(seam, shown):
    """Side by side, the ends kept; a loop's first frame comes once more after its last."""
    sheet = draw_contact_sheet(flat_film(21), ContactSheet(count=6, columns=7, seam=seam))
    assert cell_values(sheet, len(shown), 1, CELL_WIDTH * 3 // 4, 0) == shown


@pytest.mark.parametrize(
    ("keyframes", "shown"),
    [
        ([9], [0, 4, 9, 12, 16, 20]),
        ([5, 9], [0, 5, 9, 12, 16, 20]),
        ([8], [0, 4, 8, 12, 16, 20]),
        ([1, 2, 3, 5, 6], [0, 1, 2, 3, 5, 6, 20]),
        ([40], [0, 4, 8, 12, 16, 20]),
    ],
)
def test_keyframes_are_shown(keyframes, shown):
    """In place of the nearest others, the ends kept; there may be more than frames asked."""
    sheet = draw_contact_sheet(flat_film(21), ContactSheet(count=6, columns=7, keyframes=keyframes))
    assert cell_values(sheet, len(shown), 1, CELL_WIDTH * 3 // 4, 0) == shown
