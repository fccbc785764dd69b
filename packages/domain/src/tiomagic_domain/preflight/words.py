"""Sizes and times in words, rounded as people say them."""

from __future__ import annotations

from typing import Final

GIB: Final = 2**30
MIB: Final = 2**20
MINUTE_S: Final = 60
HOUR_S: Final = 3600
DAY_S: Final = 24 * HOUR_S
WEEK_S: Final = 7 * DAY_S
YEAR_S: Final = 365 * DAY_S

_UNITS: Final = (
    (2 * YEAR_S, YEAR_S, "years"),
    (3 * WEEK_S, WEEK_S, "weeks"),
    (2 * DAY_S, DAY_S, "days"),
    (2 * HOUR_S, HOUR_S, "hours"),
    (2 * MINUTE_S, MINUTE_S, "minutes"),
)
"""From how many seconds a unit is used, its seconds, and its name."""


def describe_bytes(count: float) -> str:
    """Return a size such as ``45 GiB``, ``3.2 GiB`` or ``17 MiB``."""
    if count >= 10 * GIB:
        return f"{count / GIB:.0f} GiB"
    if count >= GIB / 10:
        return f"{count / GIB:.1f} GiB"
    return f"{max(count / MIB, 0):.0f} MiB"


def describe_gib(gib: float) -> str:
    """Return a size in GiB such as ``45 GiB``."""
    return describe_bytes(gib * GIB)


def describe_seconds(seconds: float) -> str:
    """Return a time such as ``40 seconds``, ``12 minutes``, ``5 hours`` or ``3 weeks``."""
    for least, unit, name in _UNITS:
        if seconds >= least:
            return f"{round(seconds / unit)} {name}"
    whole = max(round(seconds), 1)
    return f"{whole} second{'' if whole == 1 else 's'}"
