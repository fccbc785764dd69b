"""Port: who holds what, among processes that share a store."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """What one process holds. A value: each renewal returns a new one.

    A lease does not run out by itself. Whoever wants it judges by ``mark`` and ``owner`` whether
    the holder is dead, and takes it *instead of* the very lease that was judged.
    """

    name: str
    """What is held, such as the worker slot ``local:<host>:cuda:0``."""
    owner: str
    """The holding process, told from every other one that there ever was."""
    beat: int
    """Raised by one with each renewal and each change of hands."""
    mark: str
    """``<boot id> <seconds of the machine's monotonic clock>`` at the last renewal, written by the
    owner: only a process of the same boot can compare it, and no correction of the date or sleep
    of the machine makes it look old."""
    renewed_at: datetime
    """The moment of the last renewal with zone, for people."""


class Leases(Protocol):
    """Keeps leases. Safe to use from several threads and several processes."""

    def find(self, name: str) -> Lease | None:
        """Return the lease of this name as it is stored now; None when nobody holds it."""
        ...

    def all(self) -> list[Lease]:
        """Return all leases by name."""
        ...

    def take(
        self, name: str, owner: str, *, mark: str, at: datetime, instead_of: Lease | None = None
    ) -> Lease | None:
        """Take what nobody holds, or what was judged to be held by the dead.

        Args:
            name: What to hold.
            owner: Who is to hold it.
            mark: See ``Lease.mark``.
            at: The moment, with zone.
            instead_of: The lease that was judged; it is replaced if it is stored exactly so.

        Returns:
            The new lease; None when somebody holds it, be it the same owner, and it is not
            exactly ``instead_of``. Of many who take at once, one gets it.
        """
        ...

    def renew(self, lease: Lease, *, mark: str, at: datetime) -> Lease:
        """Say that the owner is alive. A renewal whose answer was lost does no harm.

        Raises:
            LeaseLostError: when the lease has been released or taken by somebody else.
        """
        ...

    def release(self, lease: Lease) -> None:
        """Give up what is held. Harmless when it was lost or released before."""
        ...
