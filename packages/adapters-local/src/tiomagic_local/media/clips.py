"""Videos with PyAV and animated pictures with Pillow: which frame is shown when.

Everything behind this module plays at one constant rate. A source with a constant rate keeps its
frames one for one. A source whose frames stay for different times (an animated GIF, a recording of
a screen) is put on a regular grid as fine as its shortest frame, so that no frame is lost and the
timing is true to that step; long frames are repeated.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import av
import numpy as np
from av.video.reformatter import Colorspace, Interpolation

from tiomagic_local.media.images import opened, to_rgb

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpeg,mpegts,flv,ogg,asf"
"""Demuxers that may look at an input: files that hold their own frames. Play lists (hls, dash,
concat) are left out, because they make FFmpeg open other files and addresses."""

FINEST_STEP = Fraction(1, 60)
"""Seconds: no grid is finer than 60 frames a second."""

_LEVEL_INTERVALS = 0.5
"""Intervals within 50 % of their mean are a constant rate with the jitter of a clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When the frames of a source are shown, at one constant rate."""

    picks: tuple[int, ...]
    """For each frame that is shown, its index in the source; never decreasing."""
    fps: Fraction
    """Frames shown a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """One decoded frame of a source."""

    start: float
    """Seconds since the start of the source."""
    seconds: float
    """How long it stays, in seconds; 0 when the source does not say."""
    pixels: Callable[[], NDArray[np.uint8]]
    """Gives the frame: uint8, (H, W, 3), 0-255, RGB, upright. Only until the next is decoded."""


def shown_frames(path: Path) -> Iterator[Shown]:
    """Decode a video or an animated picture from its beginning.

    Raises:
        OSError, ValueError: when it cannot be decoded (PyAV's errors are among these).
    """
    return _animation(path) if is_picture(path) else _video(path)


def is_picture(path: Path) -> bool:
    """Say whether a file is a picture, animated or not."""
    try:
        with opened(path):
            return True
    except (OSError, ValueError, SyntaxError):
        return False


def timeline(
    starts: Sequence[float], last_seconds: float, declared: Fraction | None = None
) -> Timeline:
    """Put frames on a regular grid.

    Args:
        starts: When each frame begins, in seconds; at least one, increasing.
        last_seconds: How long the last frame stays, in seconds; 0 when nobody says.
        declared: The rate that the source declares, used when the frames agree with it.
    """
    count = len(starts)
    fallback = declared or Fraction(1)
    if count == 1:
        rate = _rate(1 / last_seconds) if last_seconds > 0 else fallback
        return Timeline(picks=(0,), fps=rate)
    intervals = np.diff(np.asarray(starts, dtype=np.float64))
    mean = float(intervals.mean())
    if np.all(np.abs(intervals - mean) <= _LEVEL_INTERVALS * mean) and _fits(last_seconds, mean):
        agreed = declared is not None and abs(float(declared) * mean - 1) < 0.01
        rate = declared if agreed and declared is not None else _rate(1 / mean)
        return Timeline(picks=tuple(range(count)), fps=rate)
    return _grid(starts, last_seconds or mean, intervals)


def _fits(last_seconds: float, mean: float) -> bool:
    # One step of tolerance: containers are careless about the last frame's duration.
    return last_seconds <= 2 * mean


def _grid(starts: Sequence[float], last_seconds: float, intervals: NDArray[np.float64]) -> Timeline:
    shortest = min([*intervals[intervals > 0].tolist(), last_seconds])
    step = max(float(FINEST_STEP), shortest)
    total = starts[-1] - starts[0] + last_seconds
    count = max(1, round(total / step))
    # Half a step late, so that a start that lies on the grid is met whatever its rounding.
    moments = starts[0] + (np.arange(count) + 0.5) * step
    picks = np.searchsorted(np.asarray(starts), moments, side="right") - 1
    return Timeline(picks=tuple(int(i) for i in picks), fps=_rate(1 / step))


def _rate(value: float) -> Fraction:
    return Fraction(value).limit_denominator(1001)


def _animation(path: Path) -> Iterator[Shown]:
    with opened(path) as image:
        start = 0.0
        for index in range(getattr(image, "n_frames", 1)):
            image.seek(index)
            image.load()
            # Browsers show frames of 10 ms or less for 100 ms, and so does everybody else.
            milliseconds = float(image.info.get("duration", 0))
            seconds = milliseconds / 1000 if milliseconds > 10 else 0.1
            yield Shown(start=start, seconds=seconds, pixels=partial(_pixels, image))
            start += seconds


def _pixels(image: Image.Image) -> NDArray[np.uint8]:
    return np.asarray(to_rgb(image.copy()))


@contextlib.contextmanager
def opened_video(source: Path | BinaryIO) -> Iterator[Any]:
    """Open a video so that it can reach nothing but its own bytes."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(source.open("rb")) if isinstance(source, Path) else source
        options = {"format_whitelist": CONTAINERS, "protocol_whitelist": ""}
        # Metadata in other encodings than UTF-8 is not worth losing a video for.
        yield stack.enter_context(
            av.open(file, metadata_errors="replace", container_options=options)
        )


def _video(path: Path) -> Iterator[Shown]:
    with opened_video(path) as container:
        if not container.streams.video:
            return
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        origin: float | None = None
        for index, frame in enumerate(container.decode(stream)):
            time = frame.time
            if time is None:
                time = index / float(stream.average_rate or 25)
            origin = time if origin is None else origin
            seconds = float(frame.duration * frame.time_base) if frame.duration else 0.0
            yield Shown(start=time - origin, seconds=seconds, pixels=partial(_upright, frame))


def declared_rate(path: Path) -> Fraction | None:
    """Return the rate that a video's header declares; None for pictures and when it does not."""
    if is_picture(path):
        return None
    with opened_video(path) as container:
        streams = container.streams.video
        return streams[0].average_rate if streams else None


def _upright(frame: Any) -> NDArray[np.uint8]:
    source = frame.colorspace
    if source == _UNSPECIFIED:
        # The habit of players: high definition is BT.709, anything smaller is BT.601.
        source = Colorspace.ITU709 if frame.height >= 720 else Colorspace.ITU601
    rgb = frame.to_ndarray(
        format="rgb24",
        src_colorspace=source,
        interpolation=Interpolation.BICUBIC
        | Interpolation.ACCURATE_RND
        | Interpolation.FULL_CHR_H_INT,
    )
    # FFmpeg counts the display matrix' angle counter-clockwise, as numpy's rot90 does.
    turned = np.rot90(rgb, round(frame.rotation / 90) % 4)
    return np.ascontiguousarray(turned)


_UNSPECIFIED = 2  # AVCOL_SPC_UNSPECIFIED
