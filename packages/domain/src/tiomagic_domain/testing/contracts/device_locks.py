"""What every maker of device locks does."""

from __future__ import annotations

from abc import ABC, abstractmethod

import pytest

from tiomagic_domain.ports.device_locks import DeviceLocks

EARLY = ("2026-01-01T00:00:00.000001+00:00", "job-a")
LATE = ("2026-01-01T00:00:00.000002+00:00", "job-b")
ONE, TWO, BOTH = (f"local:here:{device}" for device in ("cuda:0", "cuda:1", "cuda:0,cuda:1"))


class DeviceLocksContract(ABC):
    """Give it ``locks``: no device of the host ``here`` is locked."""

    @pytest.fixture
    @abstractmethod
    def locks(self) -> DeviceLocks:
        """Return the adapter."""

    def test_of_two_one_has_a_device(self, locks: DeviceLocks) -> None:
        """Until it is released; taking what one has, or releasing what one has not, is harmless."""
        one, other = locks.device(ONE, "one"), locks.device(ONE, "other")
        other.release()
        assert locks.is_free(ONE)
        assert one.acquire()
        assert one.acquire()
        assert not other.acquire()
        other.release()
        assert (locks.is_free(ONE), locks.find_owner(ONE)) == (False, "one")
        assert locks.is_free(TWO)
        one.release()
        assert locks.is_free(ONE)
        assert other.acquire()
        assert locks.find_owner(ONE) == "other"
        other.release()

    def test_a_group_is_all_of_its_members_or_none(self, locks: DeviceLocks) -> None:
        """One that is busy keeps the group from the others."""
        group, one, two = (
            locks.device(BOTH, "group"),
            locks.device(ONE, "1"),
            locks.device(TWO, "2"),
        )
        assert two.acquire()
        assert not group.acquire()
        assert not locks.is_free(BOTH)
        assert one.acquire()
        one.release()
        two.release()
        assert group.acquire()
        assert not one.acquire()
        assert not two.acquire()
        assert locks.find_owner(TWO) == "group"
        group.release()
        assert locks.is_free(BOTH)

    def test_tickets_show_who_came_first(self, locks: DeviceLocks) -> None:
        """By their times, while they are held, and without taking the device."""
        late, early = locks.ticket(ONE, LATE), locks.ticket(ONE, EARLY)
        assert locks.list_waiting(ONE) == []
        assert late.acquire()
        assert early.acquire()
        assert locks.list_waiting(ONE) == [EARLY, LATE]
        assert locks.list_waiting(TWO) == []
        assert locks.is_free(ONE)
        early.release()
        assert locks.list_waiting(ONE) == [LATE]
        late.release()
        assert locks.list_waiting(ONE) == []

    def test_a_ticket_for_a_group_is_seen_at_each_member(self, locks: DeviceLocks) -> None:
        """And one for a member at the group."""
        group, two = locks.ticket(BOTH, EARLY), locks.ticket(TWO, LATE)
        assert group.acquire()
        assert two.acquire()
        assert locks.list_waiting(ONE) == [EARLY]
        assert locks.list_waiting(TWO) == locks.list_waiting(BOTH) == [EARLY, LATE]
        group.release()
        assert locks.list_waiting(BOTH) == [LATE]
        two.release()
