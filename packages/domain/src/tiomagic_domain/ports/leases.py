"""Port: leases, claims of processes that share a store, renewed by heartbeats."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A lease. A value: each renewal returns a new one.

    A lease has no expiry time. A process that wants it decides by ``heartbeat`` and ``owner``
    whether it has expired, and takes over exactly the lease that it has checked.
    """

    name: str
    """The claimed thing, such as the queue of a worker: ``worker:local:<host>:auto``."""
    owner: str
    """The owner: a process name that no other process ever has."""
    version: int
    """Incremented with each renewal and each change of owner."""
    heartbeat: str
    """``<boot id> <seconds of the machine's monotonic clock>`` at the last renewal, written by the
    owner: only a process of the same boot can compare it, and no correction of the date or sleep
    of the machine makes it look old."""
    renewed_at: datetime
    """The time of the last renewal with zone, for display."""


class KeepsLeases(ABC):
    """Base of a job repository that also stores leases."""

    @property
    @abstractmethod
    def leases(self) -> Leases:
        """The leases in the repository's store."""


class Leases(Protocol):
    """Stores leases. Safe for several threads and several processes."""

    def find(self, name: str) -> Lease | None:
        """Return the stored lease of this name; None when it is free."""
        ...

    def all(self) -> list[Lease]:
        """Return all leases by name."""
        ...

    def acquire(
        self,
        name: str,
        owner: str,
        *,
        heartbeat: str,
        at: datetime,
        expected: Lease | None = None,
    ) -> Lease | None:
        """Acquire a free lease, or take over one that the caller considers expired.

        Args:
            name: Of the lease.
            owner: The acquiring process.
            heartbeat: See ``Lease.heartbeat``.
            at: The moment, with zone.
            expected: The expired lease to take over. It is replaced only if it is still stored
                unchanged (compare-and-swap).

        Returns:
            The new lease; None when it has an owner, even the same one, and does not equal
            ``expected``. If many acquire at once, one gets it.
        """
        ...

    def renew(self, lease: Lease, *, heartbeat: str, at: datetime) -> Lease:
        """Renew the lease (heartbeat). A renewal whose answer was lost may be repeated.

        Raises:
            LeaseLostError: when the lease was released, or another process has taken it.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Release the lease. Idempotent; no error if it was lost."""
        ...
