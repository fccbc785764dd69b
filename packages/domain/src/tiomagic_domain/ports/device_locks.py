"""Port: the devices of a machine, locked so that the system itself frees what the dead held."""

from __future__ import annotations

from typing import Protocol

QueuePosition = tuple[str, str]
"""A job's place among all that wait for a device: the moment when it was stored, then its id."""


class SystemLock(Protocol):
    """A lock of this process. The system releases it when the process dies, however it dies."""

    def acquire(self) -> bool:
        """Take it if it is free; never wait.

        Returns:
            True when it is held by this very object, since now or before.

        Raises:
            ProcessingError: when the lock cannot be made, because a disk is full, say.
        """
        ...

    def release(self) -> None:
        """Give it up. Harmless when it is not held."""
        ...


class DeviceLocks(Protocol):
    """Makes the locks of devices. Safe to use from several threads and several processes.

    Processes exclude each other whatever database they use, as long as they can see each other's
    locks: those of one user on one machine, and those that share a state folder.

    A device is named ``<provider>:<host>:<device>``. A group of devices, such as
    ``local:studio:cuda:0,cuda:1``, is its members: its lock takes all of them or none, and who
    waits for the group waits for each member.
    """

    def device(self, slot: str, owner: str) -> SystemLock:
        """Return the lock of a device, not yet held.

        Args:
            slot: The device.
            owner: The call id of this process, for those who find the device busy.
        """
        ...

    def ticket(self, slot: str, position: QueuePosition) -> SystemLock:
        """Return the lock that shows, while it is held, that a job waits for a device."""
        ...

    def list_waiting(self, slot: str) -> list[QueuePosition]:
        """Return the places of all who hold a ticket for a device, the first first.

        Raises:
            ProcessingError: when that cannot be read.
        """
        ...

    def is_free(self, slot: str) -> bool:
        """Return whether nobody has a device, at this moment.

        Raises:
            ProcessingError: when that cannot be found out.
        """
        ...

    def find_owner(self, slot: str) -> str | None:
        """Return who has a device that is busy, as far as it can be read; see ``device``."""
        ...


def list_members(slot: str) -> list[str]:
    """Return the single devices of a group, or the device itself."""
    provider, host, device = slot.split(":", 2)
    return [f"{provider}:{host}:{part}" for part in sorted(set(device.split(",")))]
