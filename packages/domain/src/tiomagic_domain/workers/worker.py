"""The worker of a queue: acquires a device, runs jobs one after the other, ends when idle."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from enum import Enum

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    ConfigurationError,
    LeaseLostError,
    ProcessingError,
    ResourceNotFoundError,
    StaleJobError,
    TioMagicError,
)
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.device_locks import QueuePosition, SystemLock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.leases import Lease
from tiomagic_domain.workers.device_tickets import DeviceTickets
from tiomagic_domain.workers.environmental_errors import is_environmental
from tiomagic_domain.workers.job_runner import JobRunner
from tiomagic_domain.workers.leases import WORKER_LEASE_PREFIX, Background, queue_position
from tiomagic_domain.workers.limits import WorkerLimits
from tiomagic_domain.workers.outages import OutageTracker, count_requeues, needs_new_process
from tiomagic_domain.workers.waiting_reasons import store_busy_device

UNFINISHED_STATUSES = frozenset({JobStatus.RUNNING, JobStatus.CANCELING})
"""Statuses of an unfinished job of a worker."""

MAX_CLAIM_CANDIDATES = 20
"""Most waiting jobs among which the next one is chosen."""


def do_nothing() -> None:
    """Do nothing."""


class StopReason(Enum):
    """Why a worker stops serving."""

    IDLE = "no job came"
    ASKED_TO_STOP = "asked to end"
    DEVICE_UNUSABLE = "its process cannot use the device any more"
    YIELDS_DEVICE = "makes room for a run in its caller's own process"


class Worker:
    """Serves one queue with one device: ``run`` in a thread, ``tick`` every few seconds in another.

    Args:
        queue: Which queue.
        background: The parts that workers share.
        repository: Where jobs are kept.
        generation: Runs a job.
        slots: Gives the devices that it may take, as named in ``DeviceLocks``; called once, when
            there is work.
        leave: Ends this process at once, with all threads; does not return.
        limits: Its timeouts.
        on_trouble: Called with errors that do not stop it.
        probe: Raises if any job would fail, for example on a full disk; called before a retry.
        on_ready: Called once, when it is ready or not needed.
        created_before: Runs only jobs that were stored before this moment; None for all.
    """

    def __init__(  # noqa: PLR0913 - by keyword only, one for each part
        self,
        queue: str,
        *,
        background: Background,
        repository: JobRepository,
        generation: JobRunner,
        slots: Callable[[], Sequence[str]],
        leave: Callable[[], None],
        on_trouble: Callable[[TioMagicError], None],
        limits: WorkerLimits | None = None,
        probe: Callable[[], None] = do_nothing,
        on_ready: Callable[[], None] = do_nothing,
        created_before: datetime | None = None,
    ) -> None:
        self._queue = queue
        waiting = frozenset({JobStatus.QUEUED})
        self._waiting = JobQuery(
            status=waiting, queue=queue, until=created_before, oldest_first=True
        )
        self._background = background
        self._repository = repository
        self._generation = generation
        self._find_slots = slots
        self._leave = leave
        self._on_trouble = on_trouble
        self._limits = limits or WorkerLimits()
        self._clock = background.clock
        self._slots: tuple[str, ...] = ()
        self._held: dict[str, Lease] = {}
        self._slot: str | None = None
        self._device: SystemLock | None = None
        self._tickets = DeviceTickets(background.device_locks)
        # The threads of the run and of the heartbeat both change the held leases.
        self._lock = threading.RLock()
        self._ending = threading.Event()
        self._current: Job | None = None
        self._cancel_asked_at: float | None = None
        self._probe = probe
        self._on_ready = on_ready
        self._outages = OutageTracker()
        self._last_success_at: float | None = None

    @property
    def slot(self) -> str | None:
        """The device that it holds, as named in ``DeviceLocks``; None without one."""
        return self._slot

    def end(self) -> None:
        """Ask it to end soon: its job is queued again or fails. Safe in a signal handler."""
        self._ending.set()

    def run(self) -> None:
        """Serve until there is nothing to do, or the worker is asked to end.

        After it has released its leases it polls once more. This closes a race: a process that
        stored a job before the release saw a live worker, and started none.
        """
        began: float | None = None
        try:
            while True:
                try:
                    self._release_all()
                    self._serve_until_idle()
                    break
                except ProcessingError as error:
                    self._on_trouble(error)
                    now = self._clock.monotonic()
                    began = now if began is None or self._has_succeeded_since(began) else began
                    if self._ending.is_set() or now - began > self._limits.store_timeout_s:
                        raise
                    self._sleep(self._outages.next_backoff_s())
        finally:
            self._release_all()
        self._on_ready()

    def _has_succeeded_since(self, moment: float) -> bool:
        return self._last_success_at is not None and self._last_success_at > moment

    def _serve_until_idle(self) -> None:
        while not self._ending.is_set() and self._list_waiting():
            if not self._wait_for_device():
                return  # The standby worker will take these jobs.
            ended = self._serve() if self.slot is not None else StopReason.ASKED_TO_STOP
            # The whole process ends, because only that frees all of its device memory.
            if ended is StopReason.YIELDS_DEVICE:
                self._yield_device()
            self._release_all()
            if ended is StopReason.DEVICE_UNUSABLE:
                self._launch_successor()
                return

    def send_heartbeat(self) -> None:
        """Send a heartbeat, and end the process when a canceled run does not stop (watchdog)."""
        try:
            with self._lock:
                for name, lease in list(self._held.items()):
                    self._held[name] = self._background.renew(lease)
            self._enforce_cancel()
        except LeaseLostError:
            # The leases were reclaimed and the job was settled: this process must not touch it.
            self._leave()
        except ProcessingError as error:
            self._on_trouble(error)

    def _wait_for_device(self) -> bool:
        """Wait as standby for a free device; False when another worker is the standby already."""
        # One standby for each queue: a second one could only wait behind the first.
        door = WORKER_LEASE_PREFIX + self._queue
        if not self._acquire(door):
            return False
        # Only now, because listing devices loads torch, which an unneeded worker should not do.
        self._slots = self._slots or tuple(self._find_slots())
        self._on_ready()
        try:
            while not self._ending.is_set():
                waiting = self._list_waiting(MAX_CLAIM_CANDIDATES)
                if not waiting:
                    break
                for slot in self._slots:
                    if not self._must_yield(slot) and self._take_device(slot):
                        if self._acquire(f"{door}@{slot}"):
                            self._release(door)
                            self._tell_waiting(waiting, ())
                            return True
                        # Another worker of this queue has the lease of this device: a lock without
                        # the lease would run jobs that no heartbeat watches.
                        self._release_device()
                self._tickets.hold(self._slots, queue_position(waiting[0]))
                self._tell_waiting(waiting, self._slots)
                self._clock.sleep(self._limits.poll_s)
        finally:
            self._tickets.release()
        return True

    def _tell_waiting(self, waiting: list[Job], slots: tuple[str, ...]) -> None:
        """Store with the waiting jobs who uses the devices, which are none when it has one."""
        store_busy_device(self._background, self._repository, waiting, slots)

    def _serve(self) -> StopReason:
        """Run job after job on the device that it holds."""
        since = self._clock.monotonic()
        while not self._ending.is_set():
            if self.slot is not None and self._must_yield(self.slot):
                return StopReason.YIELDS_DEVICE
            job = self._claim()
            if job is not None:
                # Before the run, which may take minutes, so that other free devices are used
                # meanwhile.
                self._launch_helper()
                fault = self._perform(job)
                if fault is not None and not self._wait_out_outage(job, fault):
                    return StopReason.DEVICE_UNUSABLE
                since = self._clock.monotonic()
            elif self._clock.monotonic() - since >= self._limits.idle_s:
                return StopReason.IDLE
            else:
                self._clock.sleep(self._limits.poll_s)
        return StopReason.ASKED_TO_STOP

    def _must_yield(self, slot: str) -> bool:
        """Return whether another process waits for the device with an older job."""
        others = self._background.device_locks.list_waiting(slot)
        # Tickets of this queue's own standby do not count: it would serve the same jobs.
        first = next((place for place in others if not self._is_own(place)), None)
        if first is None:
            return False
        waiting = self._list_waiting()
        return not waiting or first < queue_position(waiting[0])

    def _is_own(self, place: QueuePosition) -> bool:
        """Return whether a ticket is for a job of this queue, for which another worker waits."""
        try:
            return self._repository.get(place[1]).queue == self._queue
        except ResourceNotFoundError:
            return False  # A job of another project.

    def _yield_device(self) -> None:
        """End this process for another that waits for its device, and free its memory.

        The lock is not released here: the kernel does that when the process, and with it its device
        memory, is gone.
        """
        self._release(*self._held)
        if self._list_waiting():
            self._launch()
        self._leave()

    def _perform(self, job: Job) -> Exception | None:
        """Run a job to its end; return the failure of the machine if one has stopped it."""
        self._current = job
        try:
            self._generation.run_job(job, stop_requested=self._ending.is_set)
        except Exception as error:  # noqa: BLE001 - a plug-in's engine may raise anything.
            self._on_trouble(
                error
                if isinstance(error, TioMagicError)
                else TioMagicError(f"{type(error).__name__}: {error}", code=ErrorCode.UNEXPECTED)
            )
            if is_environmental(error):
                return error
        finally:
            self._current = None
        # Read again: the end may not have been stored, whatever the run has raised.
        stored = self._repository.get(job.job_id)
        if stored.status in UNFINISHED_STATUSES and stored.call_id == job.call_id:
            # Its end could not be stored. If this process ends, the supervisor settles the job.
            self.end()
        else:
            self._outages.record_success()
            self._last_success_at = self._clock.monotonic()
        return None

    def _wait_out_outage(self, job: Job, fault: Exception) -> bool:
        """Wait until the machine may work again; False when this process cannot continue.

        The job waits in its queue meanwhile, unless it is itself the cause.
        """
        if self._outages.is_job_fault(job, fault):
            self._generation.fail(job, fault)
            return not needs_new_process(fault)
        while True:
            self._sleep(self._outages.next_backoff_s(job))
            try:
                # Again: the full disk may have kept that from being stored.
                self._generation.requeue(job, fault)
                if needs_new_process(fault):
                    return False
                self._probe()
            except TioMagicError as error:
                self._on_trouble(error)
                if not self._ending.is_set():
                    continue
            return True

    def _launch_successor(self) -> None:
        """Leave the queue to a process that can use the device again."""
        if self._list_waiting() and not self._ending.is_set():
            self._launch()

    def _sleep(self, seconds: float) -> None:
        until = self._clock.monotonic() + seconds
        # In short steps, so that a request to end interrupts the wait.
        while not self._ending.is_set() and self._clock.monotonic() < until:
            self._clock.sleep(min(self._limits.poll_s, until - self._clock.monotonic()))

    def _claim(self) -> Job | None:
        # Jobs that met a failure of the machine come after the others.
        query = replace(self._waiting, next_first=True, limit=MAX_CLAIM_CANDIDATES)
        while waiting := self._repository.list(query):
            job = min(waiting, key=count_requeues)
            # The save is a compare-and-swap: of several workers that claim the job, one succeeds.
            taken = job.to(
                JobStatus.RUNNING,
                at=self._clock.now(),
                call_id=self._background.processes.current(),
                message="taken by a worker",
            )
            try:
                return self._repository.save(taken)
            except (StaleJobError, ResourceNotFoundError):
                # A race: another worker has it, or it was canceled or deleted. Try the next one.
                continue
        return None

    def _list_waiting(self, limit: int = 1) -> list[Job]:
        """Return the oldest jobs that wait."""
        return self._repository.list(replace(self._waiting, limit=limit))

    def _launch_helper(self) -> None:
        """Start another worker if more jobs wait and another device is free."""
        locks = self._background.device_locks
        others = [slot for slot in self._slots if slot != self._slot]
        if any(locks.is_free(slot) for slot in others) and self._list_waiting():
            self._launch()

    def _launch(self) -> None:
        try:
            self._background.launcher.launch(self._queue)
        except ConfigurationError as error:
            self._on_trouble(error)

    def _enforce_cancel(self) -> None:
        job = self._current
        if job is None or not (self._ending.is_set() or self._is_unwanted(job)):
            self._cancel_asked_at = None
            return
        now = self._clock.monotonic()
        if self._cancel_asked_at is None:
            self._cancel_asked_at = now
        elif now - self._cancel_asked_at >= self._limits.cancel_timeout_s:
            # In this order: the job is settled before another worker can look at its queue.
            self._generation.abandon(job, stop_requested=self._ending.is_set())
            self._release(*self._held)
            if self._list_waiting():
                self._launch()
            self._leave()

    def _is_unwanted(self, job: Job) -> bool:
        return self._repository.get(job.job_id).status is JobStatus.CANCELING

    def _acquire(self, name: str) -> bool:
        with self._lock:
            lease = self._background.acquire(name)
            if lease is not None:
                self._held[name] = lease
            return lease is not None

    def _take_device(self, slot: str) -> bool:
        owner = self._background.processes.current()
        self._device = self._background.device_locks.device(slot, owner)
        self._slot = slot if self._device.acquire() else None
        return self._slot is not None

    def _release_device(self) -> None:
        self._slot = None
        if self._device is not None:
            self._device.release()

    def _release_all(self) -> None:
        self._release(*self._held)
        self._release_device()

    def _release(self, *names: str) -> None:
        with self._lock:
            for name in names:
                lease = self._held.get(name)
                if lease is not None:
                    self._background.leases.release(lease)
                    del self._held[name]
