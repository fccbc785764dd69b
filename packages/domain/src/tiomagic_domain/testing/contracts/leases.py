"""The contract that every keeper of leases keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tiomagic_domain.errors import LeaseLostError
from tiomagic_domain.ports.leases import Lease, Leases
from tiomagic_domain.testing.repository import NOON

DEVICE_LEASE = "local:studio:cuda:0"


def _acquire(leases: Leases, owner: str = "ann", name: str = DEVICE_LEASE) -> Lease:
    lease = leases.acquire(name, owner, heartbeat="boot 1.5", at=NOON)
    assert lease is not None
    return lease


class LeasesContract:
    """What every keeper of leases does. Subclass it with a fixture ``leases``, empty at first."""

    def test_what_nobody_holds_can_be_taken(self, leases: Leases) -> None:
        """A taken lease comes back whole, and the first version is 1."""
        assert leases.find(DEVICE_LEASE) is None
        assert leases.all() == []
        lease = _acquire(leases)
        assert lease == Lease(
            name=DEVICE_LEASE, owner="ann", version=1, heartbeat="boot 1.5", renewed_at=NOON
        )
        assert leases.find(DEVICE_LEASE) == lease
        assert leases.find(DEVICE_LEASE).renewed_at.tzinfo is not None  # type: ignore[union-attr]

    def test_what_is_held_cannot_be_taken(self, leases: Leases) -> None:
        """Neither another process nor the same one gets it a second time."""
        lease = _acquire(leases)
        for owner in ("bob", "ann"):
            assert leases.acquire(DEVICE_LEASE, owner, heartbeat="boot 2.0", at=NOON) is None
        assert leases.find(DEVICE_LEASE) == lease

    def test_leases_are_listed_by_name(self, leases: Leases) -> None:
        """Each name is held by itself."""
        second, first = _acquire(leases, name="b"), _acquire(leases, "bob", name="a")
        assert leases.all() == [first, second]

    def test_a_renewal_raises_the_beat(self, leases: Leases) -> None:
        """A renewal stores the heartbeat and the moment, and counts."""
        lease = _acquire(leases)
        at = NOON + timedelta(seconds=5)
        renewed = leases.renew(lease, heartbeat="boot 6.5", at=at)
        assert renewed == replace(lease, version=2, heartbeat="boot 6.5", renewed_at=at)
        assert leases.find(DEVICE_LEASE) == renewed

    def test_a_renewal_whose_answer_was_lost_does_no_harm(self, leases: Leases) -> None:
        """The owner goes on from the lease that it knows."""
        lease = _acquire(leases)
        leases.renew(lease, heartbeat="boot 2.0", at=NOON)
        assert leases.renew(lease, heartbeat="boot 3.0", at=NOON).version == 3
        leases.release(lease)
        assert leases.find(DEVICE_LEASE) is None

    def test_a_judged_lease_is_replaced(self, leases: Leases) -> None:
        """A takeover of the stored lease succeeds, and its owner gets an error."""
        lease = _acquire(leases)
        taken = leases.acquire(DEVICE_LEASE, "bob", heartbeat="boot 9.0", at=NOON, expected=lease)
        assert taken == replace(lease, owner="bob", version=2, heartbeat="boot 9.0")
        assert leases.find(DEVICE_LEASE) == taken
        with pytest.raises(LeaseLostError, match=r"cuda:0.*ann"):
            leases.renew(lease, heartbeat="boot 10.0", at=NOON)
        leases.release(lease)
        assert leases.find(DEVICE_LEASE) == taken

    def test_a_lease_that_was_renewed_since_is_not_replaced(self, leases: Leases) -> None:
        """A judgement of an older state of the lease counts for nothing."""
        lease = _acquire(leases)
        renewed = leases.renew(lease, heartbeat="boot 2.0", at=NOON)
        assert (
            leases.acquire(DEVICE_LEASE, "bob", heartbeat="boot 9.0", at=NOON, expected=lease)
            is None
        )
        assert leases.find(DEVICE_LEASE) == renewed

    def test_a_judged_lease_that_was_released_is_free(self, leases: Leases) -> None:
        """When the owner has released it meanwhile, the name is free for all."""
        lease = _acquire(leases)
        leases.release(lease)
        taken = leases.acquire(DEVICE_LEASE, "bob", heartbeat="boot 9.0", at=NOON, expected=lease)
        assert taken is not None
        assert (taken.owner, taken.version) == ("bob", 1)

    def test_what_was_released_is_lost_to_its_owner(self, leases: Leases) -> None:
        """A release ends it: no renewal afterwards, and a second release is harmless."""
        lease = _acquire(leases)
        leases.release(lease)
        leases.release(lease)
        with pytest.raises(LeaseLostError):
            leases.renew(lease, heartbeat="boot 2.0", at=NOON)
        assert leases.find(DEVICE_LEASE) is None

    def test_a_later_lease_is_not_taken_for_an_earlier_one(self, leases: Leases) -> None:
        """The same owner's next lease of a name is not given up by the release of the last one."""
        lease = _acquire(leases)
        renewed = leases.renew(lease, heartbeat="boot 2.0", at=NOON)
        leases.release(renewed)
        later = _acquire(leases)
        leases.release(renewed)
        assert leases.find(DEVICE_LEASE) == later

    def test_one_of_many_gets_it(self, leases: Leases) -> None:
        """Of threads that acquire at once, free or expired leases, exactly one wins."""
        with ThreadPoolExecutor(4) as pool:
            for round_ in range(3):
                dead = leases.find(DEVICE_LEASE)

                def attempt(number: int, dead: Lease | None = dead) -> Lease | None:
                    owner = f"owner {round_}-{number}"  # noqa: B023 - the pool is done in the round
                    return leases.acquire(
                        DEVICE_LEASE, owner, heartbeat="boot 1.0", at=NOON, expected=dead
                    )

                winners = [lease for lease in pool.map(attempt, range(8)) if lease is not None]
                assert [leases.find(DEVICE_LEASE)] == winners
