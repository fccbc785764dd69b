"""What every clock does."""

from __future__ import annotations

from datetime import timedelta

import pytest

from tiomagic_domain.ports.clock import Clock


class ClockContract:
    """What every clock does. Subclass it with a fixture ``clock``."""

    def test_now_is_in_utc(self, clock: Clock) -> None:
        """Times have a zone, and the zone is UTC."""
        assert clock.now().utcoffset() == timedelta(0)

    def test_sleep_lets_time_pass(self, clock: Clock) -> None:
        """After a sleep both ways to tell the time are further on by at least as much."""
        started, now = clock.monotonic(), clock.now()
        clock.sleep(0.02)
        assert clock.monotonic() - started >= 0.0199  # Systems round to their tick.
        assert clock.now() > now

    @pytest.mark.parametrize("seconds", [0, -1, -0.5])
    def test_no_time_passes_for_a_number_that_is_not_positive(
        self, clock: Clock, seconds: float
    ) -> None:
        """Asking for no time, or less, is no error and never goes back."""
        before = clock.monotonic()
        clock.sleep(seconds)
        assert clock.monotonic() >= before
