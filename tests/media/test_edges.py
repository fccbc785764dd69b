"""Outlines: thin white lines where colours change, as OpenCV's Canny without a blur draws them."""

from __future__ import annotations

import numpy as np
import pytest

from tiomagic_domain.progress import NeverCanceled, Progress, ignore_progress
from tiomagic_media.edges import draw_edges, find_edges


def picture(left: int, right: int, *, width: int = 16) -> np.ndarray:
    """Return a picture of two greys with an upright line between them."""
    grey = np.full((12, width, 3), left, dtype=np.uint8)
    grey[:, width // 2 :] = right
    return grey


def test_a_line_is_one_pixel_wide() -> None:
    """Between two halves there is one line from top to bottom, and nothing else."""
    lines = find_edges(picture(0, 255))
    assert (lines.sum(axis=1) == 1).all()
    assert set(np.nonzero(lines)[1]) == {7}


@pytest.mark.parametrize(("step", "seen"), [(22, False), (23, False), (51, True)])
def test_a_line_needs_a_strong_gradient(step: int, seen: bool) -> None:
    """Sobel's gradient of a step is four times the step: 50 is 200, and more is a line."""
    assert find_edges(picture(100, 100 + step)).any() == seen


def test_a_weak_line_stays_where_it_touches_a_strong_one() -> None:
    """And goes where it is alone: 30 is a gradient of 120, more than 92 and less than 200."""
    joined = picture(0, 30)
    joined[:6, 8:] = 255
    assert find_edges(joined)[6:].any()
    assert not find_edges(picture(0, 30)).any()


def test_colours_of_one_brightness_have_a_line() -> None:
    """The colour that changes most counts, not the grey of all three."""
    colours = np.zeros((12, 16, 3), dtype=np.uint8)
    colours[:, :8, 0] = colours[:, 8:, 1] = 200
    assert find_edges(colours).any()


def test_slanted_lines_are_thin_too() -> None:
    """A triangle's side is a chain of single pixels."""
    rows, columns = np.mgrid[:32, :32]
    slanted = np.repeat(np.where(columns > rows, 255, 0)[..., None], 3, axis=2).astype(np.uint8)
    lines = find_edges(slanted)[2:-2]
    assert lines.any(axis=1).all()
    assert lines.sum(axis=1).max() <= 2


def test_each_frame_is_drawn_and_counted() -> None:
    """White on black, with an event for each frame."""
    frames = np.stack([picture(0, 255), picture(90, 90)])
    seen: list[Progress] = []
    drawn = draw_edges(frames, progress=seen.append, cancel=NeverCanceled())
    assert drawn.shape == frames.shape
    assert set(np.unique(drawn)) == {0, 255}
    assert not drawn[1].any()
    assert [(one.step, one.steps) for one in seen] == [(0, 2), (1, 2)]
    assert (draw_edges(frames, progress=ignore_progress, cancel=NeverCanceled()) == drawn).all()
