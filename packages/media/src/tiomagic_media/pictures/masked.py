"""Shows a mask in red over a film."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from tiomagic_media.decode.frames import cover
from tiomagic_media.masks.masks import to_mask
from tiomagic_media.pictures.film import Film

if TYPE_CHECKING:
    from PIL import Image

RED: Final = (230, 30, 60)
"""What lies over the parts that are replaced."""
OPACITY: Final = 0.55


def show_mask(film: Film, mask: Film) -> Film:
    """Return a film with the white of a mask in red over it.

    Args:
        film: The frames.
        mask: Each frame lies over those of its time, the last one over those after it; it is cut
            to the shape of the film.
    """
    height, width = film.frames.shape[1:3]
    shown = film.frames.copy()
    for index, frame in enumerate(shown):
        place = min(int(index * mask.fps / film.fps), len(mask.frames) - 1)
        fitted: Image.Image = cover(mask.image(place), width, height)
        (white,) = to_mask(np.asarray(fitted)[np.newaxis])
        tinted = frame[white] * (1 - OPACITY) + np.array(RED) * OPACITY
        frame[white] = np.round(tinted).astype(np.uint8)
    return Film(frames=shown, fps=film.fps)
