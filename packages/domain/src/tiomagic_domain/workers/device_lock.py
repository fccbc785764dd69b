"""A run in its caller's own process takes its turn on the device, beside workers and other runs.

::

    nobody there ──► takes the device's lease ──► runs ──► gives it back
         │                      ▲
         └─ somebody ──► a ticket (a lease of its own) until everybody who came before is through

Whoever comes first is first, by the moment when the job was stored: a worker with an older job in
its queue goes on, one without makes room. A thread takes, renews and gives back the leases: Ctrl-C
reaches only the main thread, so it falls into no gap between taking and giving back.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from tiomagic_domain.errors import LeaseLostError, ProcessingError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.leases import Lease
from tiomagic_domain.ports.provider import Observer, Report
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.workers.leases import (
    Background,
    device_lease_names,
    list_tickets,
    queue_position,
    ticket_name,
)
from tiomagic_domain.workers.unreachable import explain_lost_cancel

DEVICE_POLL_S = 0.5
"""Seconds between two looks at a device that is busy."""

CANCEL_POLL_S = 0.2
"""Seconds between two looks for a call to stop, while the device is busy."""

RENEWAL_INTERVAL_S = 5.0
"""Seconds between two renewals, and between two tries to give back what could not be."""

MAX_RELEASE_TRIES = 12
"""Tries to give a lease back while the store cannot write; then the end of this process does it."""

MAX_RUNNING_JOBS = 50
"""Running jobs among which the one is looked for that holds the device."""


WORKER_YIELDS_MESSAGE = "its worker makes room"


class DeviceLock:
    """Gives runs of this process their turn on their device.

    Args:
        background: Leases, processes, and which device a provider runs on.
        repository: Where jobs are kept.
        on_trouble: Told when the store cannot keep a lease; the run goes on without.
        poll_s: Seconds between two looks at a busy device.
    """

    def __init__(
        self,
        background: Background,
        repository: JobRepository,
        on_trouble: Callable[[TioMagicError], None],
        *,
        poll_s: float = DEVICE_POLL_S,
    ) -> None:
        self._background = background
        self._repository = repository
        self._on_trouble = on_trouble
        self._poll_s = poll_s

    @contextmanager
    def hold(self, job: Job, observer: Observer) -> Iterator[None]:
        """Hold the job's device for the time of the block; wait for it where it is busy.

        Two statements where nobody else is there. While it waits, the job says for whom.

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
        keeper = _LeaseHolder(slot, job, self._background, self._repository, self._on_trouble)
        try:
            keeper.start(self._poll_s)
            self._wait(keeper, observer)
            yield
        finally:
            keeper.stop()

    def _wait(self, keeper: _LeaseHolder, observer: Observer) -> None:
        told = ""
        while not keeper.is_ready(CANCEL_POLL_S):
            if keeper.message != told:
                told = keeper.message
                report = Report(
                    status=JobStatus.RUNNING,
                    call_id=self._background.processes.current(),
                    progress=Progress(phase=Phase.WAITING),
                    message=told,
                )
                observer.report(report)
            observer.raise_if_canceled()


class _LeaseHolder:
    """Takes a device's lease in a thread of its own, renews it, and gives it back.

    Attributes:
        message: Who is waited for, for a person; empty while nobody is.
    """

    def __init__(
        self,
        slot: str,
        job: Job,
        background: Background,
        repository: JobRepository,
        on_trouble: Callable[[TioMagicError], None],
    ) -> None:
        self.message = ""
        self._slot = slot
        self._job = job
        self._background = background
        self._repository = repository
        self._on_trouble = on_trouble
        self._names = device_lease_names(slot)
        # One for each device of a group: their workers look for those of their own.
        self._tickets = [ticket_name(name, job) for name in self._names]
        self._held: dict[str, Lease] = {}
        self._ready = threading.Event()
        self._done = threading.Event()
        self._thread: threading.Thread | None = None
        self._failure: Exception | None = None

    def start(self, poll_s: float) -> None:
        """Begin to wait for the turn."""
        self._thread = threading.Thread(target=self._keep, args=(poll_s,), daemon=True)
        self._thread.start()

    def is_ready(self, seconds: float) -> bool:
        """Return whether the run may begin, after so many seconds at the latest.

        Raises:
            Exception: what ended the thread.
        """
        ready = self._ready.wait(seconds)
        if self._failure is not None:
            raise self._failure
        return ready

    def stop(self) -> None:
        """Give everything back; when the store cannot write, the thread goes on trying."""
        self._done.set()
        if self._thread is not None and self._thread.ident is not None:
            self._thread.join(RENEWAL_INTERVAL_S)

    def _keep(self, poll_s: float) -> None:
        try:
            while not self._done.is_set() and not self._has_turn():
                self._done.wait(poll_s)
        except Exception as error:  # noqa: BLE001 - raised again where the run would begin.
            self._failure = error
        self._ready.set()
        while not self._done.wait(RENEWAL_INTERVAL_S):
            self._renew()
        self._give_back()

    def _has_turn(self) -> bool:
        try:
            if self._look():
                self._release(*self._tickets)
                return True
            for ticket in self._tickets:
                if ticket not in self._held:
                    self._acquire(ticket)
        except ProcessingError as error:
            self._on_trouble(error)
            # What a store cannot keep stops no run. One that is known to wait asks again.
            return not self.message
        return False

    def _look(self) -> bool:
        """Take the device, or note who is before us."""
        found = self._background.leases.all()
        first = self._who_came_first(found)
        held = [lease for lease in found if lease.name in self._names]
        busy = next((lease for lease in held if not self._background.reclaim(lease)), None)
        if busy is not None:
            self._tell(self._unseen(busy) or self._who_runs(busy) or first or WORKER_YIELDS_MESSAGE)
        elif first is not None:
            self._tell(first)
        elif self._take_device():
            return True
        else:
            self._tell("another one was faster")
        return False

    def _who_came_first(self, found: Sequence[Lease]) -> str | None:
        bury, mine = self._background.reclaim, queue_position(self._job)
        for name in self._names:
            for place, lease in list_tickets(found, name):
                if place < mine and not bury(lease):
                    return f"job {place[1]} came first"
        for queue, lease in self._background.list_device_workers(found, self._slot):
            query = JobQuery(
                status=frozenset({JobStatus.QUEUED}), queue=queue, oldest_first=True, limit=1
            )
            for job in self._repository.list(query):
                if queue_position(job) < mine and not bury(lease):
                    return f"job {job.job_id} came first"
        return None

    def _who_runs(self, held: Lease) -> str | None:
        running = self._find_running(held)
        return None if running is None else f"job {running.job_id} is running"

    def _find_running(self, held: Lease) -> Job | None:
        status = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})
        query = JobQuery(status=status, provider=self._job.provider, limit=MAX_RUNNING_JOBS)
        for job in self._repository.list(query):
            waits = job.progress is not None and job.progress.phase is Phase.WAITING
            if job.call_id == held.owner and not waits and job.job_id != self._job.job_id:
                return job
        return None

    def _unseen(self, held: Lease) -> str | None:
        """Say that it is held by somebody who may be gone, and how to get on."""
        if not self._background.find_unreachable([held]):
            return None
        running = self._find_running(held)
        hint = "" if running is None else f". {explain_lost_cancel(running.job_id)}"
        return (
            f"{held.owner} has it, which cannot be seen from here: in another container, or on "
            f"another machine of this name{hint}"
        )

    def _tell(self, why: str) -> None:
        self.message = f"waiting for the device {self._slot.split(':', 2)[2]}: {why}"

    def _take_device(self) -> bool:
        """Take all leases of the device, or none."""
        for name in self._names:
            if not self._acquire(name):
                self._release(*(other for other in self._names if other in self._held))
                return False
        return True

    def _acquire(self, name: str) -> bool:
        lease = self._background.acquire_free(name)
        if lease is not None:
            self._held[name] = lease
        return lease is not None

    def _renew(self) -> None:
        for name, lease in list(self._held.items()):
            try:
                self._held[name] = self._background.renew(lease)
            except LeaseLostError as error:
                del self._held[name]
                self._on_trouble(error)
            except ProcessingError as error:
                self._on_trouble(error)  # The next beat tries again.

    def _release(self, *names: str) -> None:
        for name in names:
            lease = self._held.get(name)
            if lease is not None:
                self._background.leases.release(lease)
                del self._held[name]

    def _give_back(self) -> None:
        never = threading.Event()
        for _ in range(MAX_RELEASE_TRIES):
            try:
                self._release(*list(self._held))
            except ProcessingError as error:
                self._on_trouble(error)
                never.wait(RENEWAL_INTERVAL_S)
            else:
                return
