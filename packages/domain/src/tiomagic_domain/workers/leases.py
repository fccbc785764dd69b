"""Leases of workers: names, renewal, expiry, reclaim of dead or silent owners, start back-off."""

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
"""Seconds without a heartbeat after which a worker is stale. Leases are renewed every few seconds,
so a busy database or a swapping machine may delay a renewal without harm."""

WORKER_LEASE_PREFIX = "worker:"
"""Prefix of the leases of workers. Only their processes may be killed."""


LAUNCH_LEASE_PREFIX = "launch:"
"""Prefix of the leases for starting a worker: one process at a time for each queue."""

FAILED_START_LEASE_PREFIX = "unstarted:"
"""Prefix of the leases that count the failed starts of a queue's worker and hold the time of the
last one. Their owner has no meaning."""

LAUNCH_TIMEOUT_S = 120.0
"""Timeout for another process that starts a worker, in seconds."""

FIRST_LAUNCH_BACKOFF_S = 5.0
"""Seconds from a failed start to the next; doubled after each further failure."""

MAX_LAUNCH_BACKOFF_S = 300.0


def queue_position(job: Job) -> QueuePosition:
    """Return a job's place; the lesser of two came first."""
    return job.creation_time.astimezone(UTC).isoformat(timespec="microseconds"), job.job_id


FINGERPRINT_SEPARATOR = "#"
"""Precedes the fingerprint in the name of a queue."""


def queue_name(provider: str, host: str, device: str | None, fingerprint: str = "") -> str:
    """Return the queue of a provider's jobs on a machine.

    Args:
        provider: That runs them.
        host: The machine.
        device: The requested device, or several joined by commas; None for any.
        fingerprint: Of the settings that its jobs run with; empty when they are not told apart.
    """
    name = f"{provider}:{host}:{device or 'auto'}"
    return f"{name}{FINGERPRINT_SEPARATOR}{fingerprint}" if fingerprint else name


def split_queue(queue: str) -> tuple[str, str]:
    """Return the name of a queue without its fingerprint, and the fingerprint; empty for none."""
    name, _, fingerprint = queue.partition(FINGERPRINT_SEPARATOR)
    return name, fingerprint


@dataclass(frozen=True, slots=True, kw_only=True)
class Background:
    """The parts that background jobs need."""

    leases: Leases
    device_locks: DeviceLocks
    processes: Processes
    launcher: Launcher
    clock: Clock
    device: Callable[[], str | None] = lambda: None
    """Gives the device of new jobs; None for any."""
    fingerprint: Callable[[], str] = lambda: ""
    """Gives the fingerprint of the settings that new jobs run with. Jobs with other settings wait
    in another queue, so that no worker runs a job with settings that are not the job's."""
    stale_s: float = STALE_S
    slot: Callable[[str], str | None] = lambda _provider: None
    """Gives the device, as named in ``DeviceLocks``, of a provider that runs in this process; None
    when it uses none."""
    runs_in_process: Callable[[str], bool] = lambda _provider: False
    """Says whether a provider's call ids are those of ``processes``: its jobs can then be stored
    with the call id before they run."""
    place: str = ""
    """Where jobs are sent from: processes of one place know what the others have sent."""

    def queue(self, provider: str) -> str:
        """Return the queue that a new job of a provider waits in."""
        return queue_name(provider, self.processes.host, self.device(), self.fingerprint())

    def is_local(self, queue: str) -> bool:
        """Return whether a queue is served by workers of this machine."""
        return queue.split(":", 2)[1] == self.processes.host

    def acquire(self, name: str) -> Lease | None:
        """Acquire a lease that is free or expired; None when a live owner has it."""
        held = self.leases.find(name)
        if held is not None and not self.reclaim(held):
            return None
        return self.acquire_free(name)

    def acquire_free(self, name: str) -> Lease | None:
        """Acquire a free lease; None when it has an owner, even this process."""
        return self._acquire(name, None)

    def renew(self, lease: Lease) -> Lease:
        """Renew the lease (heartbeat).

        Raises:
            LeaseLostError: when another process has reclaimed it.
        """
        return self.leases.renew(lease, heartbeat=self.processes.heartbeat(), at=self.clock.now())

    def reclaim(self, lease: Lease) -> bool:
        """Reclaim a lease whose owner is dead, or is a worker without a heartbeat for too long.

        A silent worker is killed, but only after its lease was taken over unchanged
        (compare-and-swap): a worker that recovers before that has renewed it, and lives on.

        Returns:
            False when the owner lives, or cannot be seen from here, which does not count as dead.
        """
        owner = lease.owner
        life = self.processes.get_state(owner)
        # In another container, or on another host of this name: a pid means nothing there, and
        # killing one here would hit a stranger.
        if life is ProcessState.UNKNOWN or (
            life is ProcessState.ALIVE and not self._may_end(lease)
        ):
            return False
        # With the lease as it was read as the expected one: the database takes only one of two
        # processes that reclaim it at the same time.
        mine = self._acquire(lease.name, lease)
        if mine is None:
            return False
        # Killed only after the takeover: had the owner renewed meanwhile, there would be no
        # takeover.
        if life is ProcessState.DEAD or self.processes.kill(owner):
            self.leases.release(mine)
            return True
        return False

    def end_worker(self, lease: Lease) -> bool:
        """Kill a worker that lives, and release its lease.

        Returns:
            False when it has renewed its lease meanwhile, or cannot be killed from here.
        """
        mine = self._acquire(lease.name, lease)
        if mine is None:
            return False
        # Released even if the kill failed: the worker has lost its lease in any case, and ends
        # itself at its next heartbeat.
        was_killed = self.processes.kill(lease.owner)
        self.leases.release(mine)
        return was_killed

    def find_unreachable(self, leases: Iterable[Lease]) -> list[Lease]:
        """Return the leases whose owner cannot be seen from here."""
        return [x for x in leases if self.processes.get_state(x.owner) is ProcessState.UNKNOWN]

    def reclaim_unreachable(self, owners: Collection[str]) -> None:
        """Release leases of processes that cannot be seen: the user says that they are dead.

        Args:
            owners: Their names; an owner that can be seen keeps its leases.
        """
        for lease in self.find_unreachable(x for x in self.leases.all() if x.owner in owners):
            mine = self._acquire(lease.name, lease)
            if mine is not None:
                self.leases.release(mine)

    def list_workers(self, queue: str) -> list[Lease]:
        """Return the leases of a queue's workers, serving or starting, dead or alive."""
        name = WORKER_LEASE_PREFIX + queue
        found = self.leases.all()
        # The standby has the plain name, a serving worker one with its device.
        return [x for x in found if x.name == name or x.name.startswith(f"{name}@")]

    def begin_start(self, queue: str) -> Lease | None:
        """Acquire the lease for starting a worker; None while another process does.

        It expires soon: one worker too many does no harm.
        """
        name = LAUNCH_LEASE_PREFIX + queue
        held = self.leases.find(name)
        if held is None or self.reclaim(held):
            return self.acquire_free(name)
        age = self._age_s(held)
        # A live starter may hang: after the timeout its lease is taken over, without killing it.
        return self._acquire(name, held) if age is None or age > LAUNCH_TIMEOUT_S else None

    def failed_starts(self, queue: str) -> tuple[int, float]:
        """Return the failed starts of a queue's worker, and the seconds until the next retry."""
        failed = self.leases.find(FAILED_START_LEASE_PREFIX + queue)
        if failed is None:
            return 0, 0.0
        age = self._age_s(failed)
        # What kept it from starting, such as a missing driver, may be gone with the reboot.
        if age is None:
            return failed.version, 0.0  # The machine has rebooted since.
        # The version of the lease counts the failures. The exponent is bounded: 2**10 is far above
        # the maximum.
        return failed.version, min(
            FIRST_LAUNCH_BACKOFF_S * 2 ** min(failed.version - 1, 10), MAX_LAUNCH_BACKOFF_S
        ) - age

    def record_failed_start(self, queue: str) -> None:
        """Count a failed start."""
        self._acquire(
            FAILED_START_LEASE_PREFIX + queue, self.leases.find(FAILED_START_LEASE_PREFIX + queue)
        )

    def clear_failed_starts(self, queue: str) -> None:
        """Reset the count, because a worker has started."""
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
        """Return whether a live owner is a stale worker: without a heartbeat for too long."""
        silent = lease.name.startswith(WORKER_LEASE_PREFIX) and self._is_silent(lease)
        return silent and self.processes.may_kill(lease.owner)

    def _is_silent(self, lease: Lease) -> bool:
        age = self._age_s(lease)
        return age is not None and age > self.stale_s

    def _age_s(self, lease: Lease) -> float | None:
        """Return the seconds since a lease was renewed; None after a reboot or elsewhere."""
        boot, _, then = lease.heartbeat.rpartition(" ")
        this_boot, _, now = self.processes.heartbeat().rpartition(" ")
        # Monotonic clocks of two boots cannot be compared.
        return float(now) - float(then) if boot == this_boot else None
