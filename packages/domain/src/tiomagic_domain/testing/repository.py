"""A fake job repository in memory."""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, StaleJobError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.money.charges import Charge, find_charge
from tiomagic_domain.money.sums import CostGroup, CostQuery, CostSum
from tiomagic_domain.ports.cost_keeping import KeepsCosts

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""The default creation time of ``make_job``."""


def make_job(*, prompt: str = "a fox runs", **fields: Any) -> Job:
    """Return a queued job with a fresh id; ``fields`` replace those of the job."""
    given: dict[str, Any] = {
        "job_id": str(uuid.uuid4()),
        "feature": Feature.TEXT_TO_VIDEO,
        "model": "wan2.1-t2v-1.3b",
        "provider": "local",
        "creation_time": NOON,
        "last_updated": fields.get("creation_time", NOON),
        "required_args": {"prompt": prompt},
        "optional_args": {"seed": 7},
    }
    return Job(**(given | fields))


class MemoryJobRepository(KeepsCosts):
    """Keeps jobs in a dict. Thread-safe, and gone with the process.

    Attributes:
        jobs: The stored states by id, for tests to look at.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._deleted: list[Job] = []
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Store a new job."""
        self.add_within(job, ())

    def add_within(self, job: Job, budgets: Sequence[Budget], rate: JobRate | None = None) -> None:
        """Store a new job, if it fits into the budgets of its currency and the rate."""
        stored, charge = _frozen(job), find_charge(job)
        with self._lock:
            if rate is not None:
                query = rate.counted_at(job.creation_time)
                rate.require_room(sum(_matches(one, query) for one in self.jobs.values()))
            for budget in budgets:
                if charge is not None and charge.money.currency == budget.limit.currency:
                    days = self._sum_days(charge.money.currency, budget.payer)
                    taken = budget.sum_charges(days, job.creation_time)
                    budget.require_room(charge.money, taken)
            if job.job_id in self.jobs:
                raise ProcessingError(f"job {job.job_id!r} is stored already")
            key = job.idempotency_key
            if key is not None and any(x.idempotency_key == key for x in self.jobs.values()):
                raise ProcessingError(f"another job has the key {key!r}", code=ErrorCode.KEY_TAKEN)
            self.jobs[job.job_id] = stored

    def get(self, job_id: str) -> Job:
        """Return the newest stored state of a job."""
        with self._lock:
            return _frozen(self._find(job_id))

    def save(self, job: Job) -> Job:
        """Store a changed job unless it was saved since it was read."""
        stored = replace(_frozen(job), version=job.version + 1)
        with self._lock:
            if self._find(job.job_id).version != job.version:
                raise StaleJobError(f"job {job.job_id!r} has been changed since it was read")
            self.jobs[job.job_id] = stored
        return replace(job, version=stored.version)

    def list(self, query: JobQuery) -> list[Job]:
        """Return the jobs that match, in the order that the query asks for."""
        with self._lock:
            last = None if query.after is None else _age(self._find(query.after))
            forwards = query.oldest_first or query.next_first
            jobs = sorted(self.jobs.values(), key=_age, reverse=not forwards)
        if query.next_first:
            jobs.sort(key=lambda job: -job.priority)
        found = [job for job in jobs if _matches(job, query)]
        if last is not None:
            found = [
                job
                for job in found
                if (_age(job) > last if query.oldest_first else _age(job) < last)
            ]
        return [_frozen(job) for job in found[: query.limit]]

    def count(self, query: JobQuery) -> int:
        """Return how many jobs match."""
        with self._lock:
            return sum(_matches(job, query) for job in self.jobs.values())

    def delete(self, job_id: str) -> None:
        """Delete a job."""
        with self._lock:
            self._find(job_id)
            self._deleted.append(self.jobs.pop(job_id))

    def _sum_days(self, currency: str, payer: str | None) -> dict[date, int]:
        days: Counter[date] = Counter()
        for job in (*self.jobs.values(), *self._deleted):
            charge = find_charge(job) if payer in {None, job.payer} else None
            if charge is not None and charge.money.currency == currency:
                days[job.creation_time.astimezone(UTC).date()] += charge.money.micros
        return days

    def sum_taken(self, budget: Budget, at: datetime) -> Money:
        """Return what the period of a budget has taken so far."""
        with self._lock:
            return budget.sum_charges(self._sum_days(budget.limit.currency, budget.payer), at)

    def sum_costs(self, query: CostQuery) -> Sequence[CostSum]:
        """Return the sums of the charges of stored jobs."""
        with self._lock:
            jobs = [job for job in self.jobs.values() if _is_summed(job, query)]
        found: dict[tuple[str, str], list[Charge]] = {}
        for job in jobs:
            charge = find_charge(job)
            if charge is None:
                continue
            for group in _list_groups(job, query.by):
                found.setdefault((group, charge.money.currency), []).append(charge)
        return [_add_up(group, found[group]) for group in sorted(found)]

    def _find(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise ResourceNotFoundError(f"there is no job {job_id!r}")
        return self.jobs[job_id]


def _is_summed(job: Job, query: CostQuery) -> bool:
    same = JobQuery(
        model=query.model,
        provider=query.provider,
        tag=query.tag,
        since=query.since,
        until=query.until,
    )
    return _matches(job, same)


def _list_groups(job: Job, by: CostGroup) -> tuple[str, ...]:
    day = job.creation_time.astimezone(UTC).date().isoformat()
    groups: dict[CostGroup, tuple[str, ...]] = {
        CostGroup.DAY: (day,),
        CostGroup.MODEL: (job.model,),
        CostGroup.PROVIDER: (job.provider,),
        CostGroup.TAG: job.tags or ("",),
    }
    return groups[by]


def _add_up(group: tuple[str, str], charges: Sequence[Charge]) -> CostSum:
    real = [charge.money.micros for charge in charges if charge.is_real]
    others = [charge.money.micros for charge in charges if not charge.is_real]
    name, currency = group
    return CostSum(
        group=name,
        currency=currency,
        spent=Money(micros=sum(real), currency=currency),
        expected=Money(micros=sum(others), currency=currency),
        spent_jobs=len(real),
        expected_jobs=len(others),
    )


def _age(job: Job) -> tuple[datetime, str]:
    return job.creation_time, job.job_id


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(data)))
    except (TypeError, ValueError) as error:
        raise ProcessingError(f"a job holds what is not plain data: {error}") from error
    return copy


def _frozen(job: Job) -> Job:
    """Return a copy that shares no mutable part, as a database would give it."""
    return replace(
        job,
        required_args=_plain(job.required_args),
        optional_args=_plain(job.optional_args),
        facts=_plain(job.facts),
    )


def _ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _matches(job: Job, query: JobQuery) -> bool:
    prompt = _ascii_lower(str(job.required_args.get("prompt", "")))
    return (
        (query.status is None or job.status in query.status)
        and query.feature in {None, job.feature}
        and query.model in {None, job.model}
        and query.provider in {None, job.provider}
        and query.queue in {None, job.queue}
        and query.idempotency_key in {None, job.idempotency_key}
        and job.job_id.startswith(query.id_prefix or "")
        and (query.tag is None or query.tag in job.tags)
        and all(_ascii_lower(term) in prompt for term in query.terms)
        and (query.since is None or job.creation_time >= query.since)
        and (query.until is None or job.creation_time < query.until)
    )
