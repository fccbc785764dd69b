"""Everything that moves: videos, and animated GIF, WebP, AVIF and PNG pictures.

Of an animated picture all frames count, with the times that each is to stay.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from tiomagic_local.media.images import DECODE_ERRORS, opened, to_rgb
from tiomagic_local.media.timing import Shown
from tiomagic_local.media.videos import read_header, video_frames

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

CLIP_ERRORS = (*DECODE_ERRORS, av.FFmpegError)
"""What decoding a clip can raise: not all of PyAV's errors are an OSError or a ValueError."""

_UNREADABLY_SHORT_MS, _INSTEAD_MS = 10, 100
"""Browsers show frames of 10 ms or less for 100 ms, and animations are made to that."""


def is_picture(path: Path) -> bool:
    """Say whether a file is a picture, animated or not."""
    try:
        with opened(path):
            return True
    except DECODE_ERRORS:
        return False


@contextlib.contextmanager
def playing(path: Path) -> Iterator[Iterator[Shown]]:
    """Decode a video or an animated picture from its beginning, for as long as the block lasts.

    Raises:
        CLIP_ERRORS: when it cannot be decoded to its end.
    """
    # Closed here and not whenever the last reference dies: the decoder holds a lock.
    with contextlib.closing(_animation(path) if is_picture(path) else video_frames(path)) as shown:
        yield shown


def declared_rate(path: Path) -> Fraction | None:
    """Return the rate that a video's header declares; None for pictures and when it does not."""
    return None if is_picture(path) else read_header(path).rate


def _animation(path: Path) -> Generator[Shown]:
    with opened(path) as image:
        start = 0.0
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            duration = float(image.info.get("duration", 0))
            seconds = (duration if duration > _UNREADABLY_SHORT_MS else _INSTEAD_MS) / 1000
            yield Shown(start=start, seconds=seconds, pixels=partial(_pixels, image))
            start += seconds


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(to_rgb(image.copy()))
