"""Retries of a worker after a failure of the machine: growing pauses, and a bound for each job.

::

    the disk is full ──► the running job is queued again ──► a growing pause ──► the next try
                                                                  ▲                   │
                                                                  └───────────────────┘

A job that fails this way while other jobs succeed is itself the cause, and fails.
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
"""How often a job may lose its device; after that the job counts as the cause."""

MAX_TRIES_PER_JOB = 8
"""Most tries of a job with such a failure during its run: each costs a whole run."""

DEVICE_CODES = frozenset({ErrorCode.DEVICE_LOST, ErrorCode.DEVICE_MISSING})
"""Codes of errors after which this process cannot use its device, but another one may."""


def count_requeues(job: Job) -> int:
    """Return how often a job was queued again after a failure of the machine."""
    count = job.facts.get(REQUEUE_COUNT_FACT, 0)
    return count if isinstance(count, int) else 0


def needs_new_process(error: Exception) -> bool:
    """Return whether the worker's process cannot go on after a failure."""
    return getattr(error, "code", "") in DEVICE_CODES


class OutageTracker:
    """The consecutive failures of one worker, and their jobs."""

    def __init__(self) -> None:
        self._worked = 0
        self._seen: dict[str, int] = {}
        self._in_a_row = 0

    def record_success(self) -> None:
        """Reset after a job that ended normally: the machine works."""
        self._worked += 1
        self._in_a_row = 0

    def is_job_fault(self, job: Job, error: Exception) -> bool:
        """Return whether the job itself is the cause: others have succeeded since its last try."""
        before = self._seen.get(job.job_id)
        self._seen[job.job_id] = self._worked
        code, tries = getattr(error, "code", ""), count_requeues(job) + 1
        if code == ErrorCode.DEVICE_LOST and tries >= MAX_DEVICE_LOSSES:
            return True
        if code not in ENVIRONMENT_CODES and tries >= MAX_TRIES_PER_JOB:
            return True
        # Other jobs have succeeded on this machine since the job's last try.
        return before is not None and before < self._worked

    def next_backoff_s(self, job: Job | None = None) -> float:
        """Return the seconds to wait before the next try: doubled each time, with a bound.

        Args:
            job: The job that was running; its tries in other processes count as well.
        """
        tries = max(self._in_a_row, count_requeues(job) if job is not None else 0)
        self._in_a_row += 1
        # The exponent is bounded: 2**10 is far above the maximum.
        return float(min(FIRST_BACKOFF_S * 2 ** min(tries, 10), MAX_BACKOFF_S))
