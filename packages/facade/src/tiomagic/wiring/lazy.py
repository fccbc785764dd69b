"""Parts that cost something, built when they are first used and not when they are put together.

A call that is refused (an unknown model, an illegal number) must leave no file behind and load no
database library, although the use cases are built with a repository.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiomagic_domain.ports.cost_keeping import KeepsCosts
from tiomagic_domain.ports.deliveries import KeepsDeliveries
from tiomagic_domain.ports.leases import KeepsLeases

if TYPE_CHECKING:
    from datetime import datetime

    from tiomagic_domain.errors import TioMagicError
    from tiomagic_domain.jobs.job import Job, JobQuery
    from tiomagic_domain.jobs.rates import JobRate
    from tiomagic_domain.media import Media, MediaKind
    from tiomagic_domain.money.amounts import Money
    from tiomagic_domain.money.budgets import Budget
    from tiomagic_domain.money.sums import CostQuery, CostSum
    from tiomagic_domain.ports import Lease, Leases
    from tiomagic_domain.ports.deliveries import Deliveries
    from tiomagic_storage import SqlJobRepository


class LazyRepository(KeepsLeases, KeepsCosts, KeepsDeliveries):
    """The port ``JobRepository``, opened at its first use. Thread-safe.

    Args:
        open_repository: Opens it; called again after a failure.
    """

    def __init__(self, open_repository: Callable[[], SqlJobRepository]) -> None:
        self._open = open_repository
        self._opened: SqlJobRepository | None = None
        self._lock = threading.Lock()

    @property
    def leases(self) -> LazyLeases:
        """The leases beside the jobs."""
        return LazyLeases(lambda: self._repository().leases)

    @property
    def deliveries(self) -> Deliveries:
        """The deliveries of webhooks; unlike the leases they are opened when they are asked for."""
        return self._repository().deliveries

    def add(self, job: Job) -> None:
        """Store a new job durably; see the port."""
        self._repository().add(job)

    def add_within(self, job: Job, budgets: Sequence[Budget], rate: JobRate | None = None) -> None:
        """Store a new job durably, if it fits into every budget and the rate; see the port."""
        self._repository().add_within(job, budgets, rate)

    def sum_taken(self, budget: Budget, at: datetime) -> Money:
        """Return what the period of a budget has taken so far; see the port."""
        return self._repository().sum_taken(budget, at)

    def sum_costs(self, query: CostQuery) -> Sequence[CostSum]:
        """Return the sums of the charges of stored jobs; see the port."""
        return self._repository().sum_costs(query)

    def get(self, job_id: str) -> Job:
        """Return the newest stored state of a job; see the port."""
        return self._repository().get(job_id)

    def save(self, job: Job) -> Job:
        """Store a changed job durably; see the port."""
        return self._repository().save(job)

    def list(self, query: JobQuery) -> list[Job]:
        """Return the jobs that match, newest first; see the port."""
        return self._repository().list(query)

    def count(self, query: JobQuery) -> int:
        """Return how many jobs match; see the port."""
        return self._repository().count(query)

    def delete(self, job_id: str) -> None:
        """Forget a job; see the port."""
        self._repository().delete(job_id)

    def close(self) -> None:
        """Close the repository. Idempotent; a later use opens it again."""
        with self._lock:
            if self._opened is not None:
                self._opened.close()
                self._opened = None

    def _repository(self) -> SqlJobRepository:
        with self._lock:
            if self._opened is None:
                self._opened = self._open()
            return self._opened


class LazyLeases:
    """The port ``Leases``, opened at its first use. Thread-safe.

    Args:
        leases: Gives the opened ones.
    """

    def __init__(self, leases: Callable[[], Leases]) -> None:
        self._leases = leases

    def find(self, name: str) -> Lease | None:
        """Return the lease of this name; see the port."""
        return self._leases().find(name)

    def all(self) -> list[Lease]:
        """Return all leases; see the port."""
        return self._leases().all()

    def acquire(
        self,
        name: str,
        owner: str,
        *,
        heartbeat: str,
        at: datetime,
        expected: Lease | None = None,
    ) -> Lease | None:
        """Acquire a lease; see the port."""
        return self._leases().acquire(name, owner, heartbeat=heartbeat, at=at, expected=expected)

    def renew(self, lease: Lease, *, heartbeat: str, at: datetime) -> Lease:
        """Say that the owner is alive; see the port."""
        return self._leases().renew(lease, heartbeat=heartbeat, at=at)

    def release(self, lease: Lease) -> None:
        """Release the lease; see the port."""
        self._leases().release(lease)


class AbsentMediaReader:
    """The port ``MediaReader`` where the package that reads media is not installed.

    Text to video does not need it, so its absence is an error only when a picture is given.
    """

    def __init__(self, error: TioMagicError) -> None:
        self._error = error

    def read(self, source: object, kind: MediaKind) -> Media:  # noqa: ARG002 - the port's arguments
        """Say what is missing."""
        raise self._error

    def find(self, reference: Mapping[str, Any]) -> Media:  # noqa: ARG002 - the port's arguments
        """Say what is missing."""
        raise self._error
