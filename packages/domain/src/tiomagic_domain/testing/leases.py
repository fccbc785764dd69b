"""Leases in memory."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import datetime

from tiomagic_domain.errors import LeaseLostError
from tiomagic_domain.ports.leases import Lease


class MemoryLeases:
    """Keeps leases in a dict. Thread-safe, and gone with the process.

    Attributes:
        leases: The stored leases by name, for tests to look at.
    """

    def __init__(self) -> None:
        self.leases: dict[str, Lease] = {}
        self._lock = threading.Lock()

    def find(self, name: str) -> Lease | None:
        """Return the lease of this name; None when it is free."""
        with self._lock:
            return self.leases.get(name)

    def all(self) -> list[Lease]:
        """Return all leases by name."""
        with self._lock:
            return [self.leases[name] for name in sorted(self.leases)]

    def acquire(
        self,
        name: str,
        owner: str,
        *,
        heartbeat: str,
        at: datetime,
        expected: Lease | None = None,
    ) -> Lease | None:
        """Acquire a free lease, or take over an expired one."""
        with self._lock:
            held = self.leases.get(name)
            if held is not None and held != expected:
                return None
            version = 1 if held is None else held.version + 1
            taken = Lease(
                name=name, owner=owner, version=version, heartbeat=heartbeat, renewed_at=at
            )
            self.leases[name] = taken
            return taken

    def renew(self, lease: Lease, *, heartbeat: str, at: datetime) -> Lease:
        """Renew the lease."""
        with self._lock:
            held = self._own(lease)
            if held is None:
                raise LeaseLostError(f"{lease.name!r} is no longer held by {lease.owner!r}")
            self.leases[lease.name] = replace(
                held, version=held.version + 1, heartbeat=heartbeat, renewed_at=at
            )
            return self.leases[lease.name]

    def release(self, lease: Lease) -> None:
        """Release the lease."""
        with self._lock:
            if self._own(lease) is not None:
                del self.leases[lease.name]

    def _own(self, lease: Lease) -> Lease | None:
        held = self.leases.get(lease.name)
        ours = held is not None and held.owner == lease.owner and held.version >= lease.version
        return held if ours else None
