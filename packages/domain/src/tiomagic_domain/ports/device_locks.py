"""Port: device locks, which the operating system releases when a process dies."""

from __future__ import annotations

from typing import Protocol

QueuePosition = tuple[str, str]
"""A job's place among all that wait for a device: its creation time, then its id."""


class SystemLock(Protocol):
    """A lock of this process. The operating system releases it when the process dies in any way."""

    def acquire(self) -> bool:
        """Acquire it if it is free; never wait.

        Returns:
            True when this object holds it, since now or before.

        Raises:
            ProcessingError: when the lock cannot be created, for example on a full disk.
        """
        ...

    def release(self) -> None:
        """Release it. Idempotent."""
        ...


class DeviceLocks(Protocol):
    """Makes the locks of devices. Safe for several threads and several processes.

    Processes exclude each other even with different databases, as long as they see each other's
    locks: those of one user on one machine, and those that share a state folder.

    A device is named ``<provider>:<host>:<device>``. A group of devices, such as
    ``local:studio:cuda:0,cuda:1``, is its members: its lock takes all of them or none, and a ticket
    for the group is one for each member.
    """

    def device(self, slot: str, owner: str) -> SystemLock:
        """Return the lock of a device, not yet held.

        Args:
            slot: The device.
            owner: The call id of this process, shown to processes that find the device busy.
        """
        ...

    def ticket(self, slot: str, position: QueuePosition) -> SystemLock:
        """Return a ticket: a lock that shows, while held, that a job waits for a device."""
        ...

    def list_waiting(self, slot: str) -> list[QueuePosition]:
        """Return the places of all tickets for a device, in order.

        Raises:
            ProcessingError: when that cannot be read.
        """
        ...

    def is_free(self, slot: str) -> bool:
        """Return whether a device is free now.

        Raises:
            ProcessingError: when that cannot be found out.
        """
        ...

    def find_owner(self, slot: str) -> str | None:
        """Return the owner of a busy device, if it can be read; see ``device``."""
        ...


def list_members(slot: str) -> list[str]:
    """Return the single devices of a group, or the device itself."""
    provider, host, device = slot.split(":", 2)
    return [f"{provider}:{host}:{part}" for part in sorted(set(device.split(",")))]
