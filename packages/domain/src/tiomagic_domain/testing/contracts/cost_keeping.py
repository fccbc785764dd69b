"""What every job repository does that holds budgets and sums costs."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone
from typing import Any

import pytest

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError, RateLimitError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.charges import NOT_SENT
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.money.sums import CostGroup, CostQuery
from tiomagic_domain.testing.repository import NOON, MemoryJobRepository, make_job

TEN_A_DAY = Budget(period=BudgetPeriod.DAY, limit=Money.of(10))
TEN_A_MONTH = Budget(period=BudgetPeriod.MONTH, limit=Money.of(10))


def make_paid_job(most: float, *, cost: float | None = None, **fields: Any) -> Job:
    """Return a job that is expected to cost up to an amount, or has cost one."""
    facts = {"estimate": Estimate(amount=most / 2, low=0, high=most).to_dict()}
    real = {} if cost is None else {"cost": {"amount": cost, "currency": "USD", "per": "run"}}
    return make_job(provider="modal", facts={**facts, **real}, **fields)


def _is_added(repository: MemoryJobRepository, job: Job, budget: Budget = TEN_A_DAY) -> bool:
    try:
        repository.add_within(job, [budget])
    except ConfigurationError as error:
        if error.code != ErrorCode.OVER_BUDGET:
            raise
        return False
    return True


class CostKeepingContract:
    """What a repository with costs does. Subclass it with a fixture ``repository``, empty."""

    def test_a_job_over_the_budget_is_not_stored(self, repository: MemoryJobRepository) -> None:
        """Jobs are stored up to the budget, and the error says how much is left."""
        assert [_is_added(repository, make_paid_job(4)) for _ in range(2)] == [True, True]
        with pytest.raises(ConfigurationError, match=r"up to 4\.00 USD.*2\.00 USD are left") as no:
            repository.add_within(make_paid_job(4, job_id="third"), [TEN_A_DAY])
        assert (no.value.code, no.value.details["left"]) == (ErrorCode.OVER_BUDGET, "2.00 USD")
        assert sum(one.expected_jobs for one in repository.sum_costs(CostQuery())) == 2
        assert _is_added(repository, make_paid_job(2))
        assert str(repository.sum_taken(TEN_A_DAY, NOON)) == "10.00 USD"
        assert str(repository.sum_taken(TEN_A_DAY, NOON + timedelta(days=1))) == "0.00 USD"

    def test_a_free_job_is_always_stored(self, repository: MemoryJobRepository) -> None:
        """A job that costs nothing needs no room."""
        nothing = Budget(period=BudgetPeriod.DAY, limit=Money.of(0))
        assert _is_added(repository, make_job(), nothing)
        assert _is_added(repository, make_paid_job(0), nothing)
        assert not _is_added(repository, make_paid_job(0.01), nothing)

    def test_a_payer_has_a_budget_of_its_own(self, repository: MemoryJobRepository) -> None:
        """It counts the jobs of that payer alone, also those that were deleted since."""
        budget = Budget(period=BudgetPeriod.MONTH, limit=Money.of(10), payer="ann")
        assert _is_added(repository, make_paid_job(9, payer="bob"), budget)
        assert _is_added(repository, make_paid_job(9), TEN_A_DAY) is False
        first = make_paid_job(8, payer="ann", job_id="first")
        assert _is_added(repository, first, budget)
        assert not _is_added(repository, make_paid_job(3, payer="ann"), budget)
        assert str(repository.sum_taken(budget, NOON)) == "8.00 USD"
        over = first.to(JobStatus.COMPLETED, at=NOON, facts={"cost": {"amount": 6.0}})
        repository.save(over)
        assert str(repository.sum_taken(budget, NOON)) == "6.00 USD"
        assert repository.get("first").payer == "ann"
        repository.delete("first")
        assert not _is_added(repository, make_paid_job(5, payer="ann"), budget)
        assert _is_added(repository, make_paid_job(4, payer="ann"), budget)

    def test_days_and_months_are_of_utc(self, repository: MemoryJobRepository) -> None:
        """A job counts in the day of its submission in UTC, and in its month."""
        tokyo = timezone(timedelta(hours=9))
        midnight = NOON.replace(hour=0)
        # Eight in the morning of the 22nd in Tokyo is still the 21st in UTC.
        before = (midnight - timedelta(hours=1)).astimezone(tokyo)
        assert _is_added(repository, make_paid_job(9, creation_time=before))
        assert _is_added(repository, make_paid_job(9, creation_time=midnight))
        assert not _is_added(repository, make_paid_job(9, creation_time=NOON))
        assert not _is_added(repository, make_paid_job(1), TEN_A_MONTH)
        next_month = NOON.replace(month=12, day=1)
        assert _is_added(repository, make_paid_job(9, creation_time=next_month), TEN_A_MONTH)

    def test_each_budget_is_kept(self, repository: MemoryJobRepository) -> None:
        """With two budgets a job needs room in both."""
        yesterday = NOON - timedelta(days=1)
        assert _is_added(repository, make_paid_job(8, creation_time=yesterday))
        with pytest.raises(ConfigurationError, match="monthly_budget"):
            repository.add_within(make_paid_job(5), [TEN_A_DAY, TEN_A_MONTH])
        repository.add_within(make_paid_job(2), [TEN_A_DAY, TEN_A_MONTH])

    @pytest.mark.parametrize(
        ("change", "left"),
        [
            (lambda job: job.to(JobStatus.RUNNING, at=NOON), 4),
            (lambda job: job.to(JobStatus.FAILED, at=NOON), 4),
            (lambda job: job.to(JobStatus.FAILED, at=NOON, error_code="lost"), 10),
            (lambda job: job.to(JobStatus.FAILED, at=NOON, facts={NOT_SENT: True}), 10),
            (lambda job: job.to(JobStatus.FAILED, at=NOON, error_code="outcome_unknown"), 4),
            (lambda job: job.to(JobStatus.COMPLETED, at=NOON, facts=_billed(2.5)), 7.5),
            (lambda job: job.to(JobStatus.FAILED, at=NOON, facts=_billed(2.5)), 7.5),
            (lambda job: job.to(JobStatus.CANCELED, at=NOON, facts=_billed(0)), 10),
            (lambda job: job.to(JobStatus.COMPLETED, at=NOON, facts=_billed(12)), 0),
        ],
        ids=[
            *("running", "failed", "lost", "not sent", "unknown", "completed", "billed", "free"),
            "dearer",
        ],
    )
    def test_what_a_job_counts_for(
        self, repository: MemoryJobRepository, change: Callable[[Job], Job], left: float
    ) -> None:
        """A job counts with its real cost once that is known, and else with its estimate."""
        job = make_paid_job(6)
        repository.add(job)
        kept = {"estimate": job.facts["estimate"]}
        after = change(job)
        repository.save(replace(after, facts={**kept, **after.facts}))
        if left:
            assert _is_added(repository, make_paid_job(left))
        assert not _is_added(repository, make_paid_job(0.01))

    def test_a_deleted_job_still_counts(self, repository: MemoryJobRepository) -> None:
        """Money that was spent is not there again when its job is deleted."""
        job = make_paid_job(6, status=JobStatus.COMPLETED, cost=5)
        repository.add(job)
        repository.delete(job.job_id)
        assert not _is_added(repository, make_paid_job(6))
        assert _is_added(repository, make_paid_job(5))
        # The second one alone is stored: sums are of jobs that are there.
        found = repository.sum_costs(CostQuery())
        assert [(one.spent_jobs, one.expected_jobs) for one in found] == [(0, 1)]

    def test_currencies_are_apart(self, repository: MemoryJobRepository) -> None:
        """An amount in another currency takes no room, and is summed in a row of its own."""
        euros = make_job(facts={"estimate": {"amount": 9.0, "currency": "EUR"}})
        assert _is_added(repository, euros)
        assert _is_added(repository, make_paid_job(9))
        found = repository.sum_costs(CostQuery(by=CostGroup.DAY))
        assert [(one.currency, str(one.expected)) for one in found] == [
            ("EUR", "9.00 EUR"),
            ("USD", "9.00 USD"),
        ]

    def test_a_job_that_is_there_is_an_error(self, repository: MemoryJobRepository) -> None:
        """The error of a second job with an id, or a key, is that of a plain addition."""
        job = make_paid_job(1, idempotency_key="key")
        assert _is_added(repository, job)
        with pytest.raises(ProcessingError):
            repository.add_within(job, [TEN_A_DAY])
        with pytest.raises(ProcessingError) as taken:
            repository.add_within(make_paid_job(1, idempotency_key="key"), [TEN_A_DAY])
        assert taken.value.code == ErrorCode.KEY_TAKEN
        assert _is_added(repository, make_paid_job(9))

    def test_many_at_once_do_not_pass_the_budget(self, repository: MemoryJobRepository) -> None:
        """Of many threads only so many add a job as there is room for."""
        with ThreadPoolExecutor(8) as pool:
            added = list(pool.map(lambda _: _is_added(repository, make_paid_job(3)), range(24)))
        assert added.count(True) == 3

    def test_a_rate_counts_the_jobs_of_its_tag(self, repository: MemoryJobRepository) -> None:
        """Those of the last minute, free or not; what is refused is not stored."""
        rate = JobRate(tag="ann", most=1)
        repository.add_within(make_job(tags=("bob",)), (), rate)
        repository.add_within(make_job(tags=("ann",)), (), rate)
        soon, later = NOON + timedelta(seconds=59), NOON + timedelta(seconds=61)
        refused = make_paid_job(1, tags=("ann",), creation_time=soon)
        with pytest.raises(RateLimitError, match="1 jobs a minute"):
            repository.add_within(refused, [TEN_A_DAY], rate)
        assert repository.count(JobQuery()) == 2
        assert str(repository.sum_taken(TEN_A_DAY, NOON)) == "0.00 USD"
        repository.add_within(make_job(tags=("ann",), creation_time=later), (), rate)

    def test_many_at_once_do_not_pass_the_rate(self, repository: MemoryJobRepository) -> None:
        """Of many threads only so many add a job as the rate lets."""
        rate = JobRate(tag="ann", most=3)

        def is_added(_: int) -> bool:
            try:
                repository.add_within(make_job(tags=("ann",)), (), rate)
            except RateLimitError:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(is_added, range(24))).count(True) == 3

    def test_sums_by_group(self, repository: MemoryJobRepository) -> None:
        """Real costs and estimates are summed apart, by day, model, provider and tag."""
        over: dict[str, Any] = {"status": JobStatus.COMPLETED}
        repository.add(make_paid_job(4, cost=1.5, model="wan", tags=("a", "b"), **over))
        repository.add(make_paid_job(4, cost=0.25, model="wan", tags=("a",), **over))
        repository.add(make_paid_job(4, model="ltx", creation_time=NOON + timedelta(days=1)))
        repository.add(make_job())
        assert _list_sums(repository, CostGroup.DAY) == [
            ("2026-11-22", "1.75 USD", 2, "0.00 USD", 0),
            ("2026-11-23", "0.00 USD", 0, "4.00 USD", 1),
        ]
        assert _list_sums(repository, CostGroup.MODEL) == [
            ("ltx", "0.00 USD", 0, "4.00 USD", 1),
            ("wan", "1.75 USD", 2, "0.00 USD", 0),
        ]
        assert _list_sums(repository, CostGroup.PROVIDER) == [
            ("modal", "1.75 USD", 2, "4.00 USD", 1)
        ]
        assert _list_sums(repository, CostGroup.TAG) == [
            ("", "0.00 USD", 0, "4.00 USD", 1),
            ("a", "1.75 USD", 2, "0.00 USD", 0),
            ("b", "1.50 USD", 1, "0.00 USD", 0),
        ]

    def test_sums_of_some_jobs(self, repository: MemoryJobRepository) -> None:
        """Sums can be of a time, a model, a provider or a tag."""
        repository.add(make_paid_job(1, model="wan", tags=("a",)))
        repository.add(make_paid_job(2, model="ltx", creation_time=NOON + timedelta(hours=1)))
        later = NOON + timedelta(minutes=1)
        wanted = {
            CostQuery(since=later): "2.00 USD",
            CostQuery(until=later): "1.00 USD",
            CostQuery(model="wan"): "1.00 USD",
            CostQuery(provider="modal"): "3.00 USD",
            CostQuery(tag="a"): "1.00 USD",
        }
        found = {query: repository.sum_costs(query) for query in wanted}
        assert {query: str(rows[0].expected) for query, rows in found.items()} == wanted
        assert repository.sum_costs(CostQuery(provider="local")) == []


def _billed(amount: float) -> dict[str, object]:
    return {"cost": {"amount": amount, "currency": "USD", "per": "run"}}


def _list_sums(
    repository: MemoryJobRepository, by: CostGroup
) -> list[tuple[str, str, int, str, int]]:
    found = repository.sum_costs(CostQuery(by=by))
    return [
        (one.group, str(one.spent), one.spent_jobs, str(one.expected), one.expected_jobs)
        for one in found
    ]
