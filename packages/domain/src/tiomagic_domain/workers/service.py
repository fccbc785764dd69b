"""For services: ``QueueWorker`` runs queued jobs, ``JobFollower`` polls all unfinished jobs.

::

    submit(detach=True) ──► job, queued ──► database ◄──► QueueWorker    runs it, in its own process
    submit() ──► job at a remote provider ─► database ◄──► JobFollower   polls, fetches, recovers

Both run until they are ended and do not need the facade. Any number may run: each job is claimed by
one worker, and of several followers one stores a change.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Protocol, Self

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.lifecycle.job_updater import ignore_change, ignore_trouble
from tiomagic_domain.ports.clock import POLL_INTERVAL_S
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.workers.heartbeat import keep_alive
from tiomagic_domain.workers.job_runner import JobRunner
from tiomagic_domain.workers.leases import Background
from tiomagic_domain.workers.limits import WorkerLimits
from tiomagic_domain.workers.worker import Worker

EXIT_STATUS_ENDED_MID_RUN = 70
"""Exit status of a worker process that ended during a run."""


class Recovers(Protocol):
    """Checks every unfinished job; ``Generation`` does."""

    def recover(self) -> Sequence[Job]:
        """Return the changed jobs."""
        ...


class ExternalLauncher:
    """The port ``Launcher`` of a service whose operator starts the workers."""

    def launch(self, queue: str) -> None:
        """Start nothing: the job waits until a worker of the queue starts."""


class JobFollower:
    """Keeps the jobs of a service up to date: polls, fetches finished videos, recovers lost jobs.

    ::

        with JobFollower(generation, on_change=notify):
            serve_forever()

    Args:
        generation: The use cases.
        poll_s: Seconds between two passes over the jobs that are not over.
        on_change: Called with each job that a pass has changed, in the follower's thread.
        on_trouble: Called with errors; the next pass retries.
    """

    def __init__(
        self,
        generation: Recovers,
        *,
        poll_s: float = POLL_INTERVAL_S,
        on_change: Callable[[Job], None] = ignore_change,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
    ) -> None:
        self._generation = generation
        self._poll_s = poll_s
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    def run(self) -> None:
        """Follow until :meth:`end` is called. Blocks; use it as the body of a process."""
        while not self._ended.is_set():
            self.poll_once()
            self._ended.wait(self._poll_s)

    def poll_once(self) -> None:
        """Make one pass over the jobs that are not over."""
        try:
            changed = self._generation.recover()
        except TioMagicError as error:
            self._on_trouble(error)  # For example, the database could not be reached.
            return
        for job in changed:
            self._on_change(job)

    def end(self) -> None:
        """Ask it to end after the current pass. Safe in a signal handler."""
        self._ended.set()

    def __enter__(self) -> Self:
        """Start following in a thread."""
        self._thread = threading.Thread(target=self.run, name="tiomagic-follower", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it, and wait for the current pass."""
        self.end()
        if self._thread is not None:
            self._thread.join()


class QueueWorker:
    """Runs the queued jobs of a provider on this machine, one after the other, until it is ended.

    Use a process of its own: a run that does not stop, or a worker whose lease was reclaimed, can
    only end with its process. Start one for each device.

    Args:
        provider: With the jobs.
        generation: The use cases, with the same ``background``.
        background: The parts that the workers of a database share.
        repository: Where jobs are kept.
        devices: The devices that it may take, such as ``("cuda:0", "cuda:1")``: it takes the first
            free one. None for the only one.
        limits: Its timeouts; ``idle_s`` releases the device, and does not end the worker.
        on_trouble: Called with errors that do not stop it.
        leave: Ends the process at once; replace it only in tests.
    """

    def __init__(
        self,
        provider: str,
        *,
        generation: JobRunner,
        background: Background,
        repository: JobRepository,
        devices: Sequence[str] | None = None,
        limits: WorkerLimits | None = None,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        leave: Callable[[], None] = lambda: os._exit(EXIT_STATUS_ENDED_MID_RUN),
    ) -> None:
        self._limits = limits or WorkerLimits()
        self._clock = background.clock
        queue = background.queue(provider)
        host = background.processes.host
        slots = [f"{provider}:{host}:{device}" for device in devices or ()]
        self._stale_s = background.stale_s
        self._ended = threading.Event()
        self._worker = Worker(
            queue,
            background=background,
            repository=repository,
            generation=generation,
            slots=lambda: slots or [queue],
            leave=leave,
            on_trouble=on_trouble,
            limits=self._limits,
        )
        self._on_trouble = on_trouble

    def run(self) -> None:
        """Serve until :meth:`end` is called. Blocks; use it as the body of a process."""
        with keep_alive(self._worker, self._stale_s, self._note_failure):
            while not self._ended.is_set():
                self._serve()
                self._ended.wait(self._limits.poll_s)

    def end(self) -> None:
        """Ask it to end: the running job is queued again or fails. Safe in a signal handler."""
        self._ended.set()
        self._worker.end()

    def _note_failure(self, error: Exception) -> None:
        trouble = TioMagicError(f"a heartbeat failed: {error}", code=ErrorCode.HEARTBEAT_FAILED)
        self._on_trouble(trouble)

    def _serve(self) -> None:
        try:
            self._worker.run()
        except TioMagicError as error:
            self._on_trouble(error)  # For example, the database could not be reached: retry.
