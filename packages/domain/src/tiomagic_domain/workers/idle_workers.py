"""Lists the workers of this machine, and ends those without a job."""

from __future__ import annotations

from dataclasses import dataclass

from tiomagic_domain.jobs.job import TERMINAL, Job, JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.leases import Lease
from tiomagic_domain.ports.processes import ProcessState
from tiomagic_domain.workers.leases import WORKER_LEASE_PREFIX, Background

END_TRIES = 3
"""Tries to end a worker: one that renews its lease at that moment wins the first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerState:
    """A living worker, and what it does."""

    lease: Lease
    job: Job | None
    """The job that it runs, or that waits in its queue; None for an idle worker."""

    @property
    def queue(self) -> str:
        """The queue that it serves."""
        return self.lease.name.removeprefix(WORKER_LEASE_PREFIX).partition("@")[0]


def list_workers(background: Background, repository: JobRepository) -> list[WorkerState]:
    """Return the workers of this machine that live, by name."""
    found = []
    for lease in background.leases.all():
        if not lease.name.startswith(WORKER_LEASE_PREFIX):
            continue
        worker = WorkerState(lease=lease, job=None)
        is_here = background.is_local(worker.queue)
        if is_here and background.processes.get_state(lease.owner) is ProcessState.ALIVE:
            job = _find_job(repository, worker)
            found.append(WorkerState(lease=lease, job=job))
    return found


def end_idle_worker(background: Background, repository: JobRepository, name: str) -> bool:
    """End a worker that has no job; the device memory that it holds is free then.

    Args:
        background: With the leases and the processes.
        repository: With the jobs.
        name: Of the worker's lease.

    Returns:
        False when it has a job, is gone already, or cannot be ended from here.
    """
    for _ in range(END_TRIES):
        worker = next(
            (x for x in list_workers(background, repository) if x.lease.name == name), None
        )
        if worker is None or worker.job is not None:
            return False
        if background.end_worker(worker.lease):
            return True
    return False


def _find_job(repository: JobRepository, worker: WorkerState) -> Job | None:
    jobs = repository.list(
        JobQuery(
            status=frozenset(JobStatus) - TERMINAL,
            queue=worker.queue,
            limit=None,
            oldest_first=True,
        )
    )
    own = [job for job in jobs if job.call_id == worker.lease.owner]
    waiting = [job for job in jobs if job.status is JobStatus.QUEUED]
    return next(iter([*own, *waiting]), None)
