"""Port: time."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

POLL_INTERVAL_S: Final = 2.0
"""Default seconds between two polls of a job that runs elsewhere."""


class Clock(Protocol):
    """Gives the time, and sleeps."""

    def now(self) -> datetime:
        """Return the current time, with zone (UTC)."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Sleep for some seconds; not at all when the number is not positive."""
        ...
