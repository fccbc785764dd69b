"""Locks of devices in memory: those of a process that is not alive are free."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from tiomagic_domain.ports.device_locks import QueuePosition, list_members
from tiomagic_domain.ports.processes import ProcessState
from tiomagic_domain.testing.working import FakeProcesses


class FakeLock:
    """The port ``SystemLock``: several names, of which all are held or none.

    Args:
        machine: Where the names are held.
        names: What is locked.
        owner: The process that locks it.
    """

    def __init__(self, machine: FakeDeviceLocks, names: Sequence[str], owner: str) -> None:
        self.owner = owner
        self._machine = machine
        self._names = names

    def acquire(self) -> bool:
        """Take all names if they are free."""
        with self._machine.lock:
            holders = [self._machine.find_holder(name) for name in self._names]
            if any(holder not in {None, self} for holder in holders):
                return False
            self._machine.held.update(dict.fromkeys(self._names, self))
            return True

    def release(self) -> None:
        """Release the names."""
        with self._machine.lock:
            for name in self._names:
                if self._machine.held.get(name) is self:
                    del self._machine.held[name]


@dataclass
class FakeDeviceLocks:
    """The port ``DeviceLocks`` of a machine, for all of its processes.

    Attributes:
        processes: Says who lives.
        held: The locks that are held, by device or, for a ticket, ``<device>@<time>@<job>``.
    """

    processes: FakeProcesses
    held: dict[str, FakeLock] = field(default_factory=dict)
    lock: threading.RLock = field(default_factory=threading.RLock)

    def device(self, slot: str, owner: str) -> FakeLock:
        """Return the lock of a device, not yet held."""
        return FakeLock(self, list_members(slot), owner)

    def ticket(self, slot: str, position: QueuePosition) -> FakeLock:
        """Return the lock that shows that a job waits."""
        names = ["@".join((member, *position)) for member in list_members(slot)]
        return FakeLock(self, names, self.processes.current())

    def list_waiting(self, slot: str) -> list[QueuePosition]:
        """Return the places of those who hold a ticket, the first first."""
        with self.lock:
            living = [name.split("@") for name in self.held if self.find_holder(name)]
        members = list_members(slot)
        return sorted({(at[0], at[1]) for device, *at in living if at and device in members})

    def is_free(self, slot: str) -> bool:
        """Return whether a device is free."""
        return self.find_owner(slot) is None

    def find_owner(self, slot: str) -> str | None:
        """Return the owner of a device."""
        with self.lock:
            holders = [self.find_holder(member) for member in list_members(slot)]
        return next((holder.owner for holder in holders if holder), None)

    def find_holder(self, name: str) -> FakeLock | None:
        """Return the lock under which a living process holds a name."""
        holder = self.held.get(name)
        dead = holder and self.processes.get_state(holder.owner) is ProcessState.DEAD
        return None if dead else holder
