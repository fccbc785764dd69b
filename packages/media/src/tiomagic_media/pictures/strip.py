"""A strip of small pictures side by side, as a JPEG of a limited size."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Final

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LONG_SIDE: Final = 160
"""The longer side of a picture, in pixels."""
GAP: Final = 4
"""Pixels between two pictures."""
MAX_STRIP_BYTES: Final = 20_000
"""Largest file."""
QUALITIES: Final = (85, 70, 50, 30, 10)
"""JPEG qualities that are tried in turn. At the last, even noise of this size is small enough."""
PAPER: Final = (250, 250, 248)


def draw_strip(pictures: NDArray[np.uint8]) -> bytes:
    """Return pictures side by side as a JPEG of at most ``MAX_STRIP_BYTES``.

    Args:
        pictures: uint8, (N, h, w, 3), RGB, N from 1 on; small ones are enlarged smoothly.
    """
    count, height, width = pictures.shape[:3]
    scale = LONG_SIDE / max(height, width)
    size = (max(round(width * scale), 1), max(round(height * scale), 1))
    strip = Image.new("RGB", (count * size[0] + (count - 1) * GAP, size[1]), PAPER)
    for index, picture in enumerate(pictures):
        enlarged = Image.fromarray(picture).resize(size, Image.Resampling.BICUBIC)
        strip.paste(enlarged, (index * (size[0] + GAP), 0))
    for quality in QUALITIES:
        data = io.BytesIO()
        strip.save(data, "JPEG", quality=quality)
        if data.tell() <= MAX_STRIP_BYTES:
            break
    return data.getvalue()
