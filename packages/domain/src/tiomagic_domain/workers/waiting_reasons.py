"""The message of a queued job: why it waits for a worker."""

from __future__ import annotations

from datetime import datetime

from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.workers.outages import count_requeues
from tiomagic_domain.workers.supervisor import START_FAILURE_PREFIX, WAITING_REASON_PREFIX

WAITING_MESSAGE = "waits for a worker"
"""The message of a queued job without problems."""


def find_waiting_reason(
    repository: JobRepository, queue: str, *, only_requeued: bool = False
) -> str | None:
    """Return why no worker takes the jobs of a queue, from the message of the first.

    Args:
        repository: Where jobs are kept.
        queue: Which one.
        only_requeued: True to read only jobs that the queue's live worker has tried. The messages
            of others may be copies, or outdated.
    """
    status = frozenset({JobStatus.QUEUED})
    first = repository.list(JobQuery(status=status, queue=queue, oldest_first=True, limit=1))
    return next(
        (
            job.message
            for job in first
            if job.message.startswith(WAITING_REASON_PREFIX)
            and (count_requeues(job) or not only_requeued)
        ),
        None,
    )


def with_waiting_reason(job: Job, why: str | None, *, at: datetime) -> Job | None:
    """Return a queued job with the reason for its wait as its message; None for no change.

    Args:
        job: The job.
        why: The reason; None without problems.
        at: The moment, with zone.
    """
    waits = job.message.startswith(WAITING_REASON_PREFIX)
    # A failed start of the worker does not replace a more specific reason.
    is_start_failure = why is not None and why.startswith(START_FAILURE_PREFIX)
    stays = waits if is_start_failure else not (why or waits)
    message = why or WAITING_MESSAGE
    if job.status is not JobStatus.QUEUED or stays or job.message == message:
        return None
    return job.with_changes(at=at, message=message)
