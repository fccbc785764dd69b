"""Sizes and durations in the words of people."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

GIB: Final = 2**30
"""Bytes of a GiB."""

_SIZES: Final = (("GiB", GIB), ("MiB", 2**20), ("KiB", 2**10), ("bytes", 1))

_MINUTE_S: Final = 60
HOUR_S: Final = 60 * _MINUTE_S
DAY_S: Final = 24 * HOUR_S
_WEEK_S: Final = 7 * DAY_S
_YEAR_S: Final = 365 * DAY_S

_DURATIONS: Final = (
    (2 * _YEAR_S, _YEAR_S, "years"),
    (3 * _WEEK_S, _WEEK_S, "weeks"),
    (2 * DAY_S, DAY_S, "days"),
    (2 * HOUR_S, HOUR_S, "hours"),
    (2 * _MINUTE_S, _MINUTE_S, "minutes"),
)
"""From how many seconds a unit is used, its seconds, and its name."""


def describe_bytes(count: int, *, of: int | None = None) -> str:
    """Return a size such as ``1.2 GiB``, or a part of one such as ``1.2 of 16.9 GiB``.

    Args:
        count: Bytes.
        of: Bytes in all, which decide the unit; None for one size alone.
    """
    largest = count if of is None else of
    unit, size = next((one for one in _SIZES if largest >= one[1]), _SIZES[-1])

    def number(value: int) -> str:
        return f"{value / size:.1f}" if size == GIB else f"{value / size:.0f}"

    return f"{number(count)}{'' if of is None else f' of {number(of)}'} {unit}"


def describe_rough_bytes(count: float) -> str:
    """Return an estimate of a size: ``45 GiB``, ``3.2 GiB`` or ``17 MiB``."""
    if count >= 10 * GIB:
        return f"{count / GIB:.0f} GiB"
    if count >= GIB / 10:
        return f"{count / GIB:.1f} GiB"
    return f"{max(count / 2**20, 0):.0f} MiB"


def describe_made_weights(size: int) -> str:
    """Return what a run makes from full weights, as the end of a sentence; empty for nothing."""
    if not size:
        return ""
    return f"; {describe_rough_bytes(size)} in fewer bits are made from them"


def describe_other_fetches(total: int, others: Mapping[str, int]) -> str:
    """Return what of a download is not the model, such as `` (335 MiB for the pose estimator)``.

    Args:
        total: Bytes of the whole download.
        others: Bytes of each part that is for something else, by what it is; empty for none.
    """
    if not others:
        return ""
    if total == sum(others.values()):
        return f" for {' and '.join(others)}"
    parts = [f"{describe_rough_bytes(count)} for {name}" for name, count in others.items()]
    return f" ({', '.join(parts)})"


def describe_rough_gib(gib: float) -> str:
    """Return an estimate of a size in GiB, such as ``45 GiB``."""
    return describe_rough_bytes(gib * GIB)


def describe_duration(seconds: float) -> str:
    """Return a measured duration, such as ``40 s``, ``6 min`` or ``2 h 5 min``."""
    if seconds < _MINUTE_S:
        return f"{seconds:.0f} s"
    minutes = round(seconds / _MINUTE_S)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


def describe_rough_duration(seconds: float) -> str:
    """Return an estimate: ``40 seconds``, ``12 minutes``, ``5 hours`` or ``3 weeks``."""
    for least, unit, name in _DURATIONS:
        if seconds >= least:
            return f"{round(seconds / unit)} {name}"
    whole = max(round(seconds), 1)
    return f"{whole} second{'' if whole == 1 else 's'}"
