"""What workers and those who look after them share: names, leases, and who counts as dead."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from datetime import UTC

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.device_locks import DeviceLocks, QueuePosition
from tiomagic_domain.ports.launcher import Launcher
from tiomagic_domain.ports.leases import Lease, Leases
from tiomagic_domain.ports.processes import Processes, ProcessState

STALE_S = 60.0
"""Seconds of silence after which a worker counts as dead. It renews its leases every few seconds;
a database that others hold for long, or a machine that swaps, delays a renewal and kills nobody."""

WORKER_LEASE_PREFIX = "worker:"
"""Begins the names of the leases of workers. Theirs are the only processes that may be ended."""


LAUNCH_LEASE_PREFIX = "launch:"
"""Begins the names of the leases of those who start a worker: one at a time for each queue."""

FAILED_START_LEASE_PREFIX = "unstarted:"
"""Begins the names of the leases that count the failed starts of a queue's worker, and say when the
last one was. Their owners have no part in it."""

LAUNCH_TIMEOUT_S = 120.0
"""Seconds after which somebody who starts a worker is not waited for any more."""

FIRST_LAUNCH_BACKOFF_S = 5.0
"""Seconds after a start that failed until the next one; twice as long after each further one."""

MAX_LAUNCH_BACKOFF_S = 300.0


def queue_position(job: Job) -> QueuePosition:
    """Return a job's place; of two, the lesser is the one that came first."""
    return job.creation_time.astimezone(UTC).isoformat(timespec="microseconds"), job.job_id


def queue_name(provider: str, host: str, device: str | None) -> str:
    """Return the queue of a provider's jobs on a machine.

    Args:
        provider: Who runs them.
        host: The machine.
        device: The device that was asked for, or several joined by commas; None for any.
    """
    return f"{provider}:{host}:{device or 'auto'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """The parts that a job needs to run without its caller."""

    leases: Leases
    device_locks: DeviceLocks
    processes: Processes
    launcher: Launcher
    clock: Clock
    device: Callable[[], str | None] = lambda: None
    """Gives the device of new jobs; None for any."""
    stale_s: float = STALE_S
    slot: Callable[[str], str | None] = lambda _provider: None
    """Gives the device, as ``DeviceLocks`` names it, that a provider uses when it runs in this
    process; None when it uses none."""
    runs_in_process: Callable[[str], bool] = lambda _provider: False
    """Says whether a provider names its runs by the process that makes them, as ``processes`` does:
    its job can then be stored with that name from the first moment."""

    def queue(self, provider: str) -> str:
        """Return the queue that a new job of a provider waits in."""
        return queue_name(provider, self.processes.host, self.device())

    def is_local(self, queue: str) -> bool:
        """Return whether a queue is served by workers of this machine."""
        return queue.split(":", 2)[1] == self.processes.host

    def acquire(self, name: str) -> Lease | None:
        """Take a lease that is free or held by the dead; None when the living have it."""
        held = self.leases.find(name)
        if held is not None and not self.reclaim(held):
            return None
        return self.acquire_free(name)

    def acquire_free(self, name: str) -> Lease | None:
        """Take a lease that nobody holds; None when somebody does, be it this process."""
        return self._acquire(name, None)

    def renew(self, lease: Lease) -> Lease:
        """Say that this process lives.

        Raises:
            LeaseLostError: when others thought it dead.
        """
        return self.leases.renew(lease, heartbeat=self.processes.heartbeat(), at=self.clock.now())

    def reclaim(self, lease: Lease) -> bool:
        """Free a lease whose holder is dead or, being a worker, silent for too long.

        A silent worker is ended, and only after its lease was taken exactly as it was judged: one
        that comes back to life before that has renewed it, and lives.

        Returns:
            False when the holder lives, or cannot be seen from here: that is not dead.
        """
        owner = lease.owner
        life = self.processes.get_state(owner)
        if life is ProcessState.UNKNOWN or (
            life is ProcessState.ALIVE and not self._may_end(lease)
        ):
            return False
        mine = self._acquire(lease.name, lease)
        if mine is None:
            return False
        if life is ProcessState.DEAD or self.processes.kill(owner):
            self.leases.release(mine)
            return True
        return False

    def find_unreachable(self, leases: Iterable[Lease]) -> list[Lease]:
        """Return those of the leases whose holder cannot be seen from here."""
        return [x for x in leases if self.processes.get_state(x.owner) is ProcessState.UNKNOWN]

    def reclaim_unreachable(self, owners: Collection[str]) -> None:
        """Free what is held by processes that cannot be seen: a person has said that they are gone.

        Args:
            owners: Of them; one that is seen keeps what it holds.
        """
        for lease in self.find_unreachable(x for x in self.leases.all() if x.owner in owners):
            mine = self._acquire(lease.name, lease)
            if mine is not None:
                self.leases.release(mine)

    def list_workers(self, queue: str) -> list[Lease]:
        """Return the leases of those who serve a queue or are about to, dead or alive."""
        name = WORKER_LEASE_PREFIX + queue
        found = self.leases.all()
        return [x for x in found if x.name == name or x.name.startswith(f"{name}@")]

    def begin_start(self, queue: str) -> Lease | None:
        """Take the lease of those who start a worker; None while somebody else is about it.

        It is only in the way for so long: one worker too many does no harm.
        """
        name = LAUNCH_LEASE_PREFIX + queue
        held = self.leases.find(name)
        if held is None or self.reclaim(held):
            return self.acquire_free(name)
        age = self._age_s(held)
        return self._acquire(name, held) if age is None or age > LAUNCH_TIMEOUT_S else None

    def failed_starts(self, queue: str) -> tuple[int, float]:
        """Return how often a queue's worker did not start, and the seconds to the next try."""
        failed = self.leases.find(FAILED_START_LEASE_PREFIX + queue)
        if failed is None:
            return 0, 0.0
        age = self._age_s(failed)
        if age is None:
            return failed.version, 0.0  # The machine was started anew since.
        return failed.version, min(
            FIRST_LAUNCH_BACKOFF_S * 2 ** min(failed.version - 1, 10), MAX_LAUNCH_BACKOFF_S
        ) - age

    def record_failed_start(self, queue: str) -> None:
        """Count a start that failed."""
        self._acquire(
            FAILED_START_LEASE_PREFIX + queue, self.leases.find(FAILED_START_LEASE_PREFIX + queue)
        )

    def clear_failed_starts(self, queue: str) -> None:
        """Take note that a worker is there."""
        failed = self.leases.find(FAILED_START_LEASE_PREFIX + queue)
        mine = failed and self._acquire(failed.name, failed)
        if mine:
            self.leases.release(mine)

    def _acquire(self, name: str, expected: Lease | None) -> Lease | None:
        return self.leases.acquire(
            name,
            self.processes.current(),
            heartbeat=self.processes.heartbeat(),
            at=self.clock.now(),
            expected=expected,
        )

    def _may_end(self, lease: Lease) -> bool:
        """Return whether a living holder is a worker that has been silent for too long."""
        silent = lease.name.startswith(WORKER_LEASE_PREFIX) and self._is_silent(lease)
        return silent and self.processes.may_kill(lease.owner)

    def _is_silent(self, lease: Lease) -> bool:
        age = self._age_s(lease)
        return age is not None and age > self.stale_s

    def _age_s(self, lease: Lease) -> float | None:
        """Return the seconds since a lease was renewed; None when its clock is not this one."""
        boot, _, then = lease.heartbeat.rpartition(" ")
        this_boot, _, now = self.processes.heartbeat().rpartition(" ")
        return float(now) - float(then) if boot == this_boot else None
