"""Reads a mask from pictures, and grows it around a person."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from PIL import Image, ImageFilter

if TYPE_CHECKING:
    from numpy.typing import NDArray

HALF: Final = 128
"""The value from which a grey is white."""
GROWTH: Final = 9
"""Pixels that a mask grows to each side: three times a square of 7, as Wan Animate's authors do
(Wan 2.2, wan/modules/animate/preprocess/process_pipepline.py)."""


def to_mask(frames: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Return where pictures are white: (T, H, W).

    Args:
        frames: uint8, (T, H, W, 3); what a codec makes of black and white is told apart in the
            middle.
    """
    white: NDArray[np.bool_] = frames.mean(axis=-1, dtype=np.float32) >= HALF
    return white


def grow(mask: NDArray[np.bool_], pixels: int = GROWTH) -> NDArray[np.bool_]:
    """Return a mask, (H, W), that is larger by some pixels to each side, corners included."""
    picture = Image.fromarray(mask.astype(np.uint8) * 255)
    larger = picture.filter(ImageFilter.MaxFilter(2 * pixels + 1))
    grown: NDArray[np.bool_] = np.asarray(larger) >= HALF
    return grown


def fill_box(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return the box around what is white in a mask, (H, W); black for a black one."""
    box = np.zeros_like(mask)
    rows, columns = np.nonzero(mask)
    if len(rows):
        box[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1] = True
    return box
