"""Port: time."""

from __future__ import annotations

from datetime import datetime
from typing import Final, Protocol

POLL_INTERVAL_S: Final = 2.0
"""Seconds between two looks at a job that runs elsewhere, unless the caller says another number."""


class Clock(Protocol):
    """Tells the time and lets it pass."""

    def now(self) -> datetime:
        """Return the present moment, with zone (UTC)."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never go back."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let so many seconds pass; none when the number is not positive."""
        ...
