"""Device locks for runs in the caller's process: waits for workers and other runs, in order.

::

    device is free, no older ticket ──► locks the device ──► runs ──► releases it
         │                                      ▲
         └─ otherwise ──► holds a ticket until all earlier jobs are done

The order is that of the jobs' creation: a worker with an older job in its queue continues, one
without makes room. The locks are the operating system's, which releases those of a process that
dies.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tiomagic_domain.errors import ProcessingError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.ports.device_locks import SystemLock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.provider import Observer, Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.workers.leases import Background, queue_position
from tiomagic_domain.workers.waiting_reasons import find_device_user

DEVICE_POLL_S = 0.2
"""Seconds between two polls of a busy device, and of the cancel request meanwhile."""


class DeviceLock:
    """Locks devices for runs of this process.

    Args:
        background: With the locks, and the device of a provider.
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
        """Hold the job's device within the block; wait for it while it is busy.

        During the wait, the job's message says for which job.

        Args:
            job: The stored job.
            observer: Gets the message, and says whether the job was canceled.

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
            # A ticket that stays would make other processes give way to a job that runs already.
            self._wait(slot, job, observer, device, ticket)
            ticket.release()
            yield
        finally:
            ticket.release()
            device.release()

    def _wait(
        self, slot: str, job: Job, observer: Observer, device: SystemLock, ticket: SystemLock
    ) -> None:
        announced, never = "", threading.Event()
        while True:
            try:
                why = self._take(slot, job, device)
                if why is None:
                    return
                # The ticket shows other processes that this job waits, and since when.
                ticket.acquire()
            except ProcessingError as error:
                self._on_trouble(error)
                if not announced:
                    return  # A device that cannot be locked does not stop a run.
                why = announced
            # Once for each reason: every report is a write to the database.
            if why != announced:
                announced = why
                name = slot.split(":", 2)[2]
                report = Report(
                    status=JobStatus.RUNNING,
                    call_id=self._background.processes.current(),
                    progress=Progress(
                        phase=Phase.WAITING, note=f"the device {name} is busy: {why}"
                    ),
                    message=f"waiting for the device {name}: {why}",
                )
                observer.report(report)
            observer.raise_if_canceled()
            never.wait(DEVICE_POLL_S)

    def _take(self, slot: str, job: Job, device: SystemLock) -> str | None:
        """Take the device and return None, or return the reason for the wait."""
        locks = self._background.device_locks
        first = next(iter(locks.list_waiting(slot)), None)
        # An older ticket goes first, even if the device is free now: its owner polls and takes it.
        came_first = first is not None and first < queue_position(job)
        if not came_first and device.acquire():
            return None
        # Only for the message: who has it may have changed by now.
        user = find_device_user(self._background, self._repository, slot, but=job.job_id)
        if came_first and first is not None and not user.startswith("job "):
            return f"job {first[1]} came first"
        return user
