"""Who sends a request, and which jobs are theirs."""

from __future__ import annotations

from dataclasses import dataclass

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.budgets import Budget
from tiomagic_server.jobs.labels import owner_tag


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who sends a request."""

    key_id: str | None = None
    """The id of the key that was shown; None where the server needs none."""
    jobs_per_minute: int | None = None
    """Most jobs that it may submit in a minute; None for any number."""
    budgets: tuple[Budget, ...] = ()
    """What its jobs may cost, beside the budgets of all jobs."""

    @property
    def rate(self) -> JobRate | None:
        """How many jobs it may submit; None for any number."""
        if self.tag is None or self.jobs_per_minute is None:
            return None
        return JobRate(tag=self.tag, most=self.jobs_per_minute)

    @property
    def tag(self) -> str | None:
        """The tag of its jobs; None for a caller to whom all jobs belong."""
        return None if self.key_id is None else owner_tag(self.key_id)

    def owns(self, job: Job) -> bool:
        """Return whether a job is one of the caller's."""
        return self.tag is None or self.tag in job.tags
