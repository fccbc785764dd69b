"""Sizes and durations in the words of people."""

from __future__ import annotations

from typing import Final

_UNITS: Final = (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10), ("bytes", 1))


def describe_bytes(count: int, *, of: int | None = None) -> str:
    """Return a size for people, such as ``1.2 GiB``, or ``1.2 of 16.9 GiB``.

    Args:
        count: Bytes.
        of: Bytes in all, which decide the unit; None for one size alone.
    """
    largest = count if of is None else of
    unit, size = next((one for one in _UNITS if largest >= one[1]), _UNITS[-1])

    def number(value: int) -> str:
        return f"{value / size:.1f}" if size > 2**20 else f"{value / size:.0f}"

    return f"{number(count)}{'' if of is None else f' of {number(of)}'} {unit}"


def describe_duration(seconds: float) -> str:
    """Return a duration for people, such as ``40 s``, ``6 min`` or ``2 h 5 min``."""
    if seconds < 60:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if minutes < 60:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
