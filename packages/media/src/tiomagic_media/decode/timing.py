"""When the frames of a source are shown.

The rest of the code works at one constant rate. A source with a constant rate keeps its frames one
for one. A source whose frames stay for different times (an animated GIF, a recording of a screen)
is put on a regular grid as fine as its shortest frame, so that no frame is lost and the timing is
true to that step; long frames are repeated.

A recorded video has accidental gaps. There the grid follows the usual gap, and of two frames that
are closer together, one may be lost.
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

MAX_FRAMES = 3600
"""Default bound: a grid has no more frames than this, or than the source if that has more."""

_JITTER, _ROUNDING = 0.5, 0.001
"""How far from their mean the intervals of a constant rate may be, as a part of it: half for the
jitter of a camera's clock, next to nothing where each time was chosen."""

_RARE, _ALIKE = 0.02, 0.25
"""A gap of a recording counts when more than one in fifty are as short; it is the mean of all that
differ from it by a quarter at most."""

_AGREED = 0.01
"""How far, as a part, the rate of the header may be from the measured one, to be taken for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """When the frames of a source are shown, at one constant rate."""

    picks: tuple[int, ...]
    """For each frame that is shown, its index in the source; never decreasing."""
    fps: Fraction
    """Frames shown a second."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DecodedFrame:
    """One decoded frame of a source."""

    start: float
    """Seconds since the start of the source; never before the frame that came last."""
    seconds: float
    """How long it stays, in seconds; 0 when the source does not say."""
    size: tuple[int, int]
    """Width and height, upright."""
    pixels: Callable[[], NDArray[np.uint8]]
    """Gives the frame: uint8, (H, W, 3), 0-255, RGB, upright. Only until the next is decoded."""
    was_interlaced: bool = False
    """True from the first frame on that held two half pictures, which were made one."""


def timeline(
    starts: Sequence[float],
    last_seconds: float,
    declared: Fraction | None = None,
    *,
    most: int | None = None,
) -> Timeline:
    """Put frames on a regular grid.

    Args:
        starts: When each frame begins, in seconds; at least one, never decreasing.
        last_seconds: How long the last frame stays, in seconds; 0 when the source does not say.
        declared: The rate that a video's header declares: then intervals with the jitter of a
            camera's clock count as constant. None for animated pictures, whose times are intended.
        most: Frames that a grid may have, at least 1; it is coarser when it would have more. None
            for ``MAX_FRAMES``, or as many as the source has.
    """
    count = len(starts)
    fallback = declared or Fraction(1)
    if count == 1:
        rate = _rate(1 / last_seconds) if last_seconds > 0 else fallback
        return Timeline(picks=(0,), fps=rate)
    intervals = np.diff(np.asarray(starts, dtype=np.float64))
    mean = float(intervals.mean())
    if mean <= 0:
        # The source has no times.
        return Timeline(picks=tuple(range(count)), fps=fallback)
    slack = (_JITTER if declared else _ROUNDING) * mean
    # Video containers are unreliable about the last frame: its duration may be one step, or 0.
    if declared:
        last_is_level = last_seconds - mean <= mean
    else:
        last_is_level = last_seconds <= 0 or abs(last_seconds - mean) <= slack
    if np.all(np.abs(intervals - mean) <= slack) and last_is_level:
        return Timeline(picks=tuple(range(count)), fps=_agreed(declared, mean))
    gaps = intervals[intervals > 0]
    if declared:
        usual = _usual(gaps)
        step = float(1 / _agreed(declared, usual))
        last_seconds = max(last_seconds, step)
    else:
        last_seconds = last_seconds or mean
        step = min(float(gaps.min()), last_seconds)
    return _grid(
        starts, last_seconds, max(float(FINEST_STEP), step), most or max(MAX_FRAMES, count)
    )


def _usual(gaps: NDArray[np.float64]) -> float:
    # No grid separates frames that are closer than its finest step.
    apart = gaps[gaps >= 0.99 * float(FINEST_STEP)]
    gaps = apart if len(apart) else gaps
    typical = float(np.quantile(gaps, _RARE, method="lower"))
    return float(gaps[np.abs(gaps - typical) <= _ALIKE * typical].mean())


def _grid(starts: Sequence[float], last_seconds: float, step: float, most: int) -> Timeline:
    total = starts[-1] - starts[0] + last_seconds
    if total / step > most:
        step = total / most
    count = max(1, round(total / step))
    # Half a step late, so that rounding cannot miss a start that lies on the grid; and a bit more,
    # for one that lies in the middle between two of its points.
    moments = starts[0] + (np.arange(count) + 0.5 + 1e-6) * step
    picks = np.searchsorted(np.asarray(starts), moments, side="right") - 1
    return Timeline(picks=tuple(int(i) for i in picks), fps=_rate(1 / step))


def _agreed(declared: Fraction | None, gap: float) -> Fraction:
    if declared is not None and abs(float(declared) * gap - 1) < _AGREED:
        return declared
    return _rate(1 / gap)


def _rate(value: float) -> Fraction:
    # A rate below one frame in 1001 seconds would be rounded to 0.
    rounded = Fraction(value).limit_denominator(1001)
    return rounded or Fraction(1, round(1 / value))
