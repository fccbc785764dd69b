"""Reads what moves: videos, and animated GIF, WebP, AVIF and PNG pictures.

All frames of an animated picture are read, each with its duration.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Callable, Generator, Iterable, Iterator
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np

from tiomagic_media.decode.images import DECODE_ERRORS, open_picture, to_rgb
from tiomagic_media.decode.timing import DecodedFrame
from tiomagic_media.decode.videos import (
    DamagedVideoError,
    ignore_moment,
    read_video_header,
    video_frames,
)

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

CLIP_ERRORS = (*DECODE_ERRORS, av.FFmpegError)
"""What decoding a clip can raise: not all of PyAV's errors are an OSError or a ValueError."""

ANIMATED = frozenset({"GIF", "WEBP", "PNG", "AVIF"})
"""Formats whose pictures may move. Several pictures in a TIFF, HEIC or MPO are pages, a series or
two views of one thing: nothing that plays."""

_UNREADABLY_SHORT_MS, _INSTEAD_MS = 10, 100
"""Browsers show frames of 10 ms or less for 100 ms, and authors of animations rely on it."""


def is_picture(path: Path) -> bool:
    """Say whether a file is a picture, animated or not."""
    try:
        with open_picture(path):
            return True
    except DECODE_ERRORS:
        return False


def is_animated(image: Image.Image) -> bool:
    """Say whether an opened picture plays: whether it has two frames that are shown."""
    if image.format not in ANIMATED or not getattr(image, "is_animated", False):
        return False
    return image.format != "PNG" or _first(image) + 1 < image.n_frames  # type: ignore[attr-defined]


@contextlib.contextmanager
def playing(
    path: Path, moment: Callable[[], None] = ignore_moment
) -> Iterator[Iterator[DecodedFrame]]:
    """Decode a video or an animated picture from its beginning, for as long as the block lasts.

    Args:
        path: The file.
        moment: Called repeatedly during decoding; may raise to stop it.

    Raises:
        CLIP_ERRORS: when it cannot be decoded to its end.
    """
    shown = _animation(path, moment) if is_picture(path) else video_frames(path, moment)
    # Closed here, not by the garbage collector at some later time: the decoder holds a lock.
    with contextlib.closing(shown):
        yield shown


def declared_rate(path: Path) -> Fraction | None:
    """Return the rate that a video's header declares; None for pictures and when it does not."""
    return None if is_picture(path) else read_video_header(path).rate


def _animation(path: Path, moment: Callable[[], None]) -> Generator[DecodedFrame]:
    with open_picture(path) as image:
        start, size = 0.0, image.size
        for index in _indices(image):
            moment()
            try:
                image.seek(index)
            except EOFError:
                if image.format != "GIF" or index == 0:
                    raise
                return
            image.load()
            duration = float(image.info.get("duration", 0))
            seconds = (duration if duration > _UNREADABLY_SHORT_MS else _INSTEAD_MS) / 1000
            pixels = partial(_pixels, image, size)
            yield DecodedFrame(start=start, seconds=seconds, size=size, pixels=pixels)
            start += seconds


def _indices(image: Image.Image) -> Iterable[int]:
    # A GIF does not say how many frames it has, and counting them would read all of it.
    if image.format == "GIF":
        return itertools.count()
    return range(_first(image), getattr(image, "n_frames", 1))


def _first(image: Image.Image) -> int:
    """Return the first frame that is shown: a PNG may begin with a hidden one for old programs."""
    return 1 if image.format == "PNG" and getattr(image, "default_image", False) else 0


def _pixels(image: Image.Image, size: tuple[int, int]) -> NDArray[np.uint8]:
    # A frame of a GIF may reach beyond the picture; players show what is inside.
    seen = image.copy() if image.size == size else image.crop((0, 0, *size))
    pixels = np.asarray(to_rgb(seen))
    if pixels.shape[1::-1] != size:
        raise DamagedVideoError(f"its size changes from {size[0]}x{size[1]}")
    return pixels
