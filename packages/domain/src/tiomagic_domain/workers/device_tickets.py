"""The tickets of a worker: they show that its oldest job waits for any of its devices."""

from __future__ import annotations

from collections.abc import Sequence

from tiomagic_domain.ports.device_locks import DeviceLocks, QueuePosition, SystemLock


class DeviceTickets:
    """Holds a ticket for each device of a worker.

    Args:
        locks: Of the devices.
    """

    def __init__(self, locks: DeviceLocks) -> None:
        self._locks = locks
        self._held: list[SystemLock] = []
        self._place: QueuePosition | None = None

    def hold(self, slots: Sequence[str], place: QueuePosition) -> None:
        """Hold a ticket for each device.

        Args:
            slots: The devices.
            place: Of the oldest job.

        Raises:
            ProcessingError: when a ticket cannot be made, for example on a full disk.
        """
        if place != self._place:
            self.release()
            self._place = place
            self._held = [self._locks.ticket(slot, place) for slot in slots]
        for ticket in self._held:
            ticket.acquire()

    def release(self) -> None:
        """Release them. Idempotent."""
        self._place = None
        while self._held:
            self._held.pop().release()
