"""Rates: how many jobs with a tag may be stored in a time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from tiomagic_domain.errors import RateLimitError
from tiomagic_domain.jobs.job import JobQuery

RETRY_AFTER_S: Final = 15
"""Seconds after which a call that was refused is worth repeating."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRate:
    """The most jobs with a tag in any minute."""

    tag: str
    most: int
    period: timedelta = timedelta(minutes=1)

    def counted_at(self, at: datetime) -> JobQuery:
        """Return the query of the jobs that count for one of a moment."""
        return JobQuery(tag=self.tag, since=at - self.period)

    def require_room(self, made: int) -> None:
        """Raise if there are as many jobs as there may be.

        Raises:
            RateLimitError: with ``retry_after``, in seconds.
        """
        if made >= self.most:
            raise RateLimitError(
                f"your key may submit {self.most} jobs a minute: send it again later",
                details={"retry_after": RETRY_AFTER_S, "limit_type": "jobs_per_minute"},
            )
