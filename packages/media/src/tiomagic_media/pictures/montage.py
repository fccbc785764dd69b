"""Several videos at once: their frames side by side, with labels."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from tiomagic_media.pictures.film import Film
from tiomagic_media.pictures.sheet import SheetCell, draw_grid

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """A film with its label; None for the film that is missing."""

    film: Film | None
    label: str = ""


def rate_of(rows: Sequence[Sequence[Strip]]) -> Fraction:
    """Return the highest rate of the films, in frames a second: no frame of any is lost."""
    return max(strip.film.fps for row in rows for strip in row if strip.film is not None)


def render_montage(
    rows: Sequence[Sequence[Strip]], *, width: int, title: str
) -> Iterator[NDArray[np.uint8]]:
    """Yield frames in which all films play at once: (H, W, 3), 0-255, RGB, even sides.

    Args:
        rows: At least one strip has a film.
        width: Of each film, in pixels.
        title: Stands above.
    """
    fps = rate_of(rows)
    films = [strip.film for row in rows for strip in row if strip.film is not None]
    # In whole ticks of the rate: a film of another rate may end between two.
    count = max(-(-len(film.frames) * fps // film.fps) for film in films)
    for tick in range(int(count)):
        cells = [[_cell(strip, tick / fps) for strip in row] for row in rows]
        yield _even(np.asarray(draw_grid(cells, width=width, title=title)))


def _cell(strip: Strip, seconds: Fraction) -> SheetCell:
    if strip.film is None:
        return SheetCell(image=None, label=strip.label)
    index = min(int(seconds * strip.film.fps), len(strip.film.frames) - 1)
    return SheetCell(image=strip.film.image(index), label=strip.label)


def _even(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return a frame with even sides, as the codec needs: its edge is repeated."""
    height, width = frame.shape[:2]
    return np.pad(frame, ((0, height % 2), (0, width % 2), (0, 0)), mode="edge")
