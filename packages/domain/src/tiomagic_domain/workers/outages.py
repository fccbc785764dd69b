"""What a worker does about failures that are not its jobs': it waits, and tries again.

::

    the disk is full ──► the job in hand is queued again ──► a pause that grows ──► the next try
                                                                 ▲                      │
                                                                 └──────────────────────┘

A job that fails so while others work is the cause itself, and fails.
"""

from __future__ import annotations

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.jobs.job import REQUEUE_COUNT_FACT, Job
from tiomagic_domain.workers.environmental_errors import (
    ENVIRONMENT_CODES,
)

FIRST_BACKOFF_S = 1.0
MAX_BACKOFF_S = 60.0

MAX_DEVICE_LOSSES = 3
"""Times that a job may lose its device; then it is its own doing."""

MAX_TRIES_PER_JOB = 8
"""Tries of a job that meets such a failure in the middle of its work: each costs a whole run."""

DEVICE_CODES = frozenset({ErrorCode.DEVICE_LOST, ErrorCode.DEVICE_MISSING})
"""Of errors after which this process cannot use its device again, and another one may."""


def count_requeues(job: Job) -> int:
    """Return how often a job was queued again for a failure that was not its own."""
    count = job.facts.get(REQUEUE_COUNT_FACT, 0)
    return count if isinstance(count, int) else 0


def needs_new_process(error: Exception) -> bool:
    """Return whether the worker's process cannot go on after a failure."""
    return getattr(error, "code", "") in DEVICE_CODES


class OutageTracker:
    """The failures in a row of one worker, and whose they are."""

    def __init__(self) -> None:
        self._worked = 0
        self._seen: dict[str, int] = {}
        self._in_a_row = 0

    def record_success(self) -> None:
        """Take note that a job came to its own end: the machine is well."""
        self._worked += 1
        self._in_a_row = 0

    def is_job_fault(self, job: Job, error: Exception) -> bool:
        """Return whether the job itself is the cause: others have worked since its last try."""
        before = self._seen.get(job.job_id)
        self._seen[job.job_id] = self._worked
        code, tries = getattr(error, "code", ""), count_requeues(job) + 1
        if code == ErrorCode.DEVICE_LOST and tries >= MAX_DEVICE_LOSSES:
            return True
        if code not in ENVIRONMENT_CODES and tries >= MAX_TRIES_PER_JOB:
            return True
        return before is not None and before < self._worked

    def next_backoff_s(self, job: Job | None = None) -> float:
        """Return for how long to wait before the next try: each time twice as long, with a bound.

        Args:
            job: The one that was in hand; its tries in other processes count as well.
        """
        tries = max(self._in_a_row, count_requeues(job) if job is not None else 0)
        self._in_a_row += 1
        return float(min(FIRST_BACKOFF_S * 2 ** min(tries, 10), MAX_BACKOFF_S))
