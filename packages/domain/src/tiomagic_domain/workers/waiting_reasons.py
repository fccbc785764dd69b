"""The message of a queued job: why it waits for a worker."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from tiomagic_domain.errors import ResourceNotFoundError, StaleJobError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.progress import Phase
from tiomagic_domain.workers.leases import Background
from tiomagic_domain.workers.outages import count_requeues
from tiomagic_domain.workers.supervisor import START_FAILURE_PREFIX, WAITING_REASON_PREFIX

WAITING_MESSAGE = "waits for a worker"
"""The message of a queued job without problems."""

BUSY_DEVICE_PREFIX = f"{WAITING_REASON_PREFIX}the device "
"""Prefix of the message of a job whose worker waits for a device that others use."""

MAX_RUNNING_JOBS = 50
"""Most running jobs that are searched for the one on the device."""


def find_busy_device(job: Job) -> str | None:
    """Return which device a queued job waits for, and who has it; None for no such wait."""
    is_so = job.status is JobStatus.QUEUED and job.message.startswith(BUSY_DEVICE_PREFIX)
    return job.message if is_so else None


def find_device_user(
    background: Background, repository: JobRepository, slot: str, *, but: str = ""
) -> str:
    """Return who uses a busy device, as far as it is known: a job, or another process.

    Args:
        background: With the locks and the processes.
        repository: Where jobs are kept.
        slot: The device, as named in ``DeviceLocks``.
        but: Id of a job that is not the one.
    """
    owner = background.device_locks.find_owner(slot)
    running = owner and find_running_job(repository, owner, slot.partition(":")[0], but=but)
    if running:
        return f"job {running.job_id} is running"
    return f"{background.processes.describe(owner) if owner else 'another process'} uses it"


def find_running_job(
    repository: JobRepository, owner: str, provider: str, *, but: str = ""
) -> Job | None:
    """Return the job of this store that a process runs on its device; None without one."""
    status = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})
    query = JobQuery(status=status, provider=provider, limit=MAX_RUNNING_JOBS)
    for job in repository.list(query):
        # A job that waits for a device has the same owner, but does not use it.
        waits = job.progress is not None and job.progress.phase is Phase.WAITING
        if job.call_id == owner and not waits and job.job_id != but:
            return job
    return None


def store_busy_device(
    background: Background, repository: JobRepository, jobs: list[Job], slots: tuple[str, ...]
) -> None:
    """Store with queued jobs who uses the devices that their worker waits for.

    Args:
        background: With the locks, the processes and the clock.
        repository: Where jobs are kept.
        jobs: Those that wait. One with another reason, such as a full disk, keeps that.
        slots: The devices; none when the worker has one now.
    """
    if not slots and all(find_busy_device(job) is None for job in jobs):
        return
    why = ""
    if slots:
        device = slots[0].split(":", 2)[2]
        more = f" (and {len(slots) - 1} more)" if len(slots) > 1 else ""
        user = find_device_user(background, repository, slots[0])
        why = f"{BUSY_DEVICE_PREFIX}{device}{more} is busy: {user}"
    for job in jobs:
        if job.message == WAITING_MESSAGE or find_busy_device(job) is not None:
            changed = with_waiting_reason(job, why or None, at=background.clock.now())
            if changed is not None:
                with suppress(StaleJobError, ResourceNotFoundError):  # Canceled or deleted.
                    repository.save(changed)


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
    is_specific = waits and find_busy_device(job) is None
    # A failed start of the worker does not replace a more specific reason.
    is_start_failure = why is not None and why.startswith(START_FAILURE_PREFIX)
    stays = is_specific if is_start_failure else not (why or waits)
    message = why or WAITING_MESSAGE
    if job.status is not JobStatus.QUEUED or stays or job.message == message:
        return None
    return job.with_changes(at=at, message=message)
