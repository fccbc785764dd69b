"""The timeout and poll interval of a wait for a job."""

from __future__ import annotations

from collections.abc import Callable

from tiomagic_domain.advice import NextStep
from tiomagic_domain.errors import JobTimeoutError, Problem, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.provider import RETRY_AFTER


class WaitDeadline:
    """The deadline of one wait, which begins when this is created.

    Args:
        monotonic: A monotonic clock, in seconds.
        timeout: Most seconds to wait; None for no bound.
        poll: Seconds between two polls, 0 or more.

    Raises:
        ValidationError: when a value is below 0 or not a number.
    """

    def __init__(
        self, monotonic: Callable[[], float], *, timeout: float | None, poll: float
    ) -> None:
        given = {"timeout": 0.0 if timeout is None else timeout, "poll": poll}
        problems = [
            Problem(field=name, message="must be 0 or more seconds", given=repr(value), nearest=0)
            for name, value in given.items()
            if not value >= 0  # Also refuses what is not a number.
        ]
        if problems:
            raise ValidationError.of(problems, subject="a wait")
        self._monotonic = monotonic
        self._timeout = timeout
        self._poll = poll
        self._start = monotonic()

    def next_pause(self, job: Job) -> float:
        """Return the seconds until the next poll of a job that is not over.

        Not before the provider's ``retry_after``, unless the timeout ends earlier.

        Raises:
            JobTimeoutError: when the time is up. The job goes on.
        """
        pause = max(self._poll, float(job.facts.get(RETRY_AFTER, 0)))
        if self._timeout is None:
            return pause
        left = self._timeout - (self._monotonic() - self._start)
        if left <= 0:
            raise JobTimeoutError(
                f"job {job.job_id} is still {job.status} after {self._timeout} s; it goes on: "
                f"{NextStep.CHECK_AGAIN.say(job_id=job.job_id)}",
                details={"job_id": job.job_id, "status": job.status.value},
            )
        return min(pause, left)
