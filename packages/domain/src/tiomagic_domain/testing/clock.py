"""A fake clock: its time changes only by calls."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta

FAKE_CLOCK_START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""The default time of a new ``FakeClock``."""


class FakeClock:
    """A clock that moves only by its methods. Thread-safe.

    Attributes:
        slept: Seconds of each ``sleep`` that was asked for, in order.
    """

    def __init__(self, start: datetime = FAKE_CLOCK_START) -> None:
        self.slept: list[float] = []
        self._now = start
        self._monotonic = 0.0
        self._lock = threading.Lock()

    def now(self) -> datetime:
        """Return the clock's time, in UTC."""
        with self._lock:
            return self._now

    def monotonic(self) -> float:
        """Return the seconds that have passed on this clock."""
        with self._lock:
            return self._monotonic

    def sleep(self, seconds: float) -> None:
        """Let time pass at once; none when the number is not positive."""
        self.slept.append(seconds)
        self.advance(seconds)

    def advance(self, seconds: float) -> None:
        """Move the clock forward; a number that is not positive moves nothing."""
        with self._lock:
            passed = max(seconds, 0.0)
            self._now += timedelta(seconds=passed)
            self._monotonic += passed

    def set(self, moment: datetime) -> None:
        """Set another time, like a correction of the date; ``monotonic`` does not move."""
        with self._lock:
            self._now = moment.astimezone(UTC)
