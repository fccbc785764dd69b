"""Port: who holds what, among processes that share a store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What one process holds. A value: each renewal returns a new one.

    A lease does not run out by itself. Whoever wants it judges by ``heartbeat`` and ``owner``
    whether the holder is dead, and takes it *instead of* the very lease that was judged.
    """

    name: str
    """What is held, such as the queue of a worker, ``worker:local:<host>:auto``."""
    owner: str
    """The holding process, told from every other one that there ever was."""
    version: int
    """Raised by one with each renewal and each change of hands."""
    heartbeat: str
    """``<boot id> <seconds of the machine's monotonic clock>`` at the last renewal, written by the
    owner: only a process of the same boot can compare it, and no correction of the date or sleep
    of the machine makes it look old."""
    renewed_at: datetime
    """The moment of the last renewal with zone, for people."""


class KeepsLeases(ABC):
    """Base of a job repository that keeps leases beside the jobs."""

    @property
    @abstractmethod
    def leases(self) -> Leases:
        """The leases of those who share the repository."""


class Leases(Protocol):
    """Keeps leases. Safe to use from several threads and several processes."""

    def find(self, name: str) -> Lease | None:
        """Return the lease of this name as it is stored now; None when nobody holds it."""
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
        """Acquire a lease that is free, or take over one that was judged to be expired.

        Args:
            name: What to hold.
            owner: Who is to hold it.
            heartbeat: See ``Lease.heartbeat``.
            at: The moment, with zone.
            expected: The expired lease to take over. It is replaced only if it is still stored
            exactly so:
                a compare-and-swap.

        Returns:
            The new lease; None when it is held, be it by the same owner, and is not exactly
            ``expected``. Of many that acquire at once, one gets it.
        """
        ...

    def renew(self, lease: Lease, *, heartbeat: str, at: datetime) -> Lease:
        """Say that the owner is alive. A renewal whose answer was lost does no harm.

        Raises:
            LeaseLostError: when the lease has been released or taken by somebody else.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give up what is held. Harmless when it was lost or released before."""
        ...
