"""When the frames of a source are shown.

Everything behind this module plays at one constant rate. A source with a constant rate keeps its
frames one for one. A source whose frames stay for different times (an animated GIF, a recording of
a screen) is put on a regular grid as fine as its shortest frame, so that no frame is lost and the
timing is true to that step; long frames are repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

FINEST_STEP = Fraction(1, 60)
"""Seconds: no grid is finer than 60 frames a second."""

_JITTER, _ROUNDING = 0.5, 0.001
"""How far from their mean the intervals of a constant rate may be, as a part of it: half for the
jitter of a camera's clock, next to nothing where each time was chosen."""


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


def timeline(
    starts: Sequence[float], last_seconds: float, declared: Fraction | None = None
) -> Timeline:
    """Put frames on a regular grid.

    Args:
        starts: When each frame begins, in seconds; at least one, increasing.
        last_seconds: How long the last frame stays, in seconds; 0 when nobody says.
        declared: The rate that a video's header declares: then intervals that wander as a camera's
            clock does count as constant. None for animated pictures, whose times are meant.
    """
    count = len(starts)
    fallback = declared or Fraction(1)
    if count == 1:
        rate = _rate(1 / last_seconds) if last_seconds > 0 else fallback
        return Timeline(picks=(0,), fps=rate)
    intervals = np.diff(np.asarray(starts, dtype=np.float64))
    mean = float(intervals.mean())
    slack = (_JITTER if declared else _ROUNDING) * mean
    # Containers of videos are careless about the end of the last frame: it may be a step long, or
    # no time at all.
    last_is_level = last_seconds - mean <= (mean if declared else slack)
    if np.all(np.abs(intervals - mean) <= slack) and last_is_level:
        agreed = declared is not None and abs(float(declared) * mean - 1) < 0.01
        rate = declared if agreed and declared is not None else _rate(1 / mean)
        return Timeline(picks=tuple(range(count)), fps=rate)
    if declared:
        last_seconds = max(last_seconds, float(intervals[intervals > 0].min()))
    return _grid(starts, last_seconds or mean, intervals)


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
