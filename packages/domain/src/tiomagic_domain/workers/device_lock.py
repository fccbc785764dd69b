"""A run in its caller's own process takes its turn on the device, beside workers and other runs.

::

    device is free, no older ticket ──► locks the device ──► runs ──► releases it
         │                                      ▲
         └─ otherwise ──► holds a ticket until everybody who came before is through

Whoever comes first is first, by the moment when the job was stored: a worker with an older job in
its queue goes on, one without makes room. The locks are the system's, which releases those of a
process that dies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tiomagic_domain.errors import ProcessingError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.device_locks import SystemLock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.provider import Observer, Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.workers.leases import Background, queue_position

DEVICE_POLL_S = 0.2
"""Seconds between two looks at a device that is busy, and for a call to stop meanwhile."""

MAX_RUNNING_JOBS = 50
"""Running jobs among which the one is looked for that holds the device."""


class DeviceLock:
    """Gives runs of this process their turn on their device.

    Args:
        background: The locks, and which device a provider runs on.
        repository: Where jobs are kept.
        on_trouble: Called when a device cannot be locked; the run goes on without.
    """

    def __init__(
        self,
        background: Background,
        repository: JobRepository,
        on_trouble: Callable[[TioMagicError], None],
    ) -> None:
        self._background = background
        self._repository = repository
        self._on_trouble = on_trouble

    @contextmanager
    def hold(self, job: Job, observer: Observer) -> Iterator[None]:
        """Hold the job's device for the time of the block; wait for it where it is busy.

        While it waits, the job says for whom.

        Args:
            job: As it was stored.
            observer: Told who is waited for, and asked whether the job is to stop.

        Raises:
            GenerationCanceledError: when the job was canceled meanwhile.
        """
        slot = self._background.slot(job.provider)
        if slot is None:
            yield
            return
        locks = self._background.device_locks
        device = locks.device(slot, self._background.processes.current())
        ticket = locks.ticket(slot, queue_position(job))
        try:
            self._wait(slot, job, observer, device, ticket)
            ticket.release()
            yield
        finally:
            ticket.release()
            device.release()

    def _wait(
        self, slot: str, job: Job, observer: Observer, device: SystemLock, ticket: SystemLock
    ) -> None:
        told, never = "", threading.Event()
        while True:
            try:
                why = self._take(slot, job, device)
                if why is None:
                    return
                ticket.acquire()
            except ProcessingError as error:
                self._on_trouble(error)
                if not told:
                    return  # What cannot be locked stops no run.
                why = told
            if why != told:
                told = why
                message = f"waiting for the device {slot.split(':', 2)[2]}: {why}"
                report = Report(
                    status=JobStatus.RUNNING,
                    call_id=self._background.processes.current(),
                    progress=Progress(phase=Phase.WAITING),
                    message=message,
                )
                observer.report(report)
            observer.raise_if_canceled()
            never.wait(DEVICE_POLL_S)

    def _take(self, slot: str, job: Job, device: SystemLock) -> str | None:
        """Take the device and return None, or return who is before us."""
        locks = self._background.device_locks
        first = next(iter(locks.list_waiting(slot)), None)
        came_first = first is not None and first < queue_position(job)
        if not came_first and device.acquire():
            return None
        owner = locks.find_owner(slot)
        running = self._find_running(owner, job) if owner is not None else None
        if running is not None:
            return f"job {running.job_id} is running"
        if came_first and first is not None:
            return f"job {first[1]} came first"
        return f"its worker makes room, or another project uses it ({owner or 'unknown'})"

    def _find_running(self, owner: str, mine: Job) -> Job | None:
        status = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})
        query = JobQuery(status=status, provider=mine.provider, limit=MAX_RUNNING_JOBS)
        for job in self._repository.list(query):
            waits = job.progress is not None and job.progress.phase is Phase.WAITING
            if job.call_id == owner and not waits and job.job_id != mine.job_id:
                return job
        return None
