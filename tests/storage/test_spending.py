"""Budgets and sums of costs in the database: exact, race-free, and quick with many jobs."""

import signal
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select, text
from tests.storage import workers

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.charges import find_charge
from tiomagic_domain.money.sums import CostGroup, CostQuery
from tiomagic_domain.testing import NOON, MemoryJobRepository, make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database.tables import spending

PROCESSES, JOBS_EACH, SMALLEST_CENTS = 16, 12, 20


@pytest.mark.slow
@pytest.mark.timeout(900)  # Sixteen interpreters start and import on what may be a busy machine.
@pytest.mark.parametrize("database", ["sqlite_url", "postgresql_url"])
def test_many_processes_do_not_pass_a_budget(database, request):
    """A budget of 10 under 16 processes is filled, and at no moment passed."""
    url = request.getfixturevalue(database)
    open_repository(url).close()
    workers.run_together(workers.submit_within_budget, PROCESSES, url, JOBS_EACH, SMALLEST_CENTS)
    repository = open_repository(url)
    jobs = repository.list(JobQuery(limit=None))
    taken = sum(find_charge(job).money.micros for job in jobs)
    assert taken <= Money.of(10).micros
    # The largest job is below a unit, and what the last ones gave back is less than another.
    assert taken > Money.of(8).micros
    assert 10 < len(jobs) < PROCESSES * JOBS_EACH
    budget, dear = Budget(period=BudgetPeriod.DAY, limit=Money.of(10)), {"amount": 2.0}
    with pytest.raises(ConfigurationError, match="daily_budget"):
        repository.add_within(make_job(facts={"estimate": dear}), [budget])
    repository.close()


AMOUNTS = st.integers(0, 3_000_000).map(lambda micros: micros / 1_000_000)
CURRENCIES = st.sampled_from(["USD", "EUR"])
MOMENTS = st.integers(0, 40 * 24).map(lambda hours: NOON - timedelta(hours=hours))
ENDS = st.sampled_from([None, JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED])


@st.composite
def paid_jobs(draw):
    """A job with an estimate, and how it ends: status and real cost, each perhaps none."""
    currency = draw(CURRENCIES)
    estimate = {"amount": draw(AMOUNTS), "currency": currency}
    job = make_job(
        model=draw(st.sampled_from(["wan", "ltx"])),
        provider=draw(st.sampled_from(["modal", "fal"])),
        tags=tuple(draw(st.sets(st.sampled_from(["a", "b"])))),
        creation_time=draw(MOMENTS),
        facts={"estimate": estimate},
    )
    end, cost = draw(ENDS), draw(st.none() | AMOUNTS)
    if end is None:
        return job, None
    known = {} if cost is None else {"cost": {"amount": cost, "currency": draw(CURRENCIES)}}
    after = job.to(end, at=NOON, facts={**job.facts, **known})
    return job, after


@given(st.lists(paid_jobs(), max_size=8))
@settings(max_examples=40, deadline=None)
def test_the_sums_are_those_of_the_jobs(tmp_path_factory, pairs):
    """The database sums exactly what the jobs count for, whatever becomes of them."""
    memory = MemoryJobRepository()
    repository = open_repository(f"sqlite:///{tmp_path_factory.mktemp('sums')}/jobs.db")
    for job, after in pairs:
        for store in (memory, repository):
            store.add(job)
            if after is not None:
                store.save(after)
    for by in CostGroup:
        for query in (CostQuery(by=by), CostQuery(by=by, since=NOON - timedelta(days=9))):
            assert repository.sum_costs(query) == memory.sum_costs(query)
    by_day = {}
    for charge, job in ((find_charge(job), job) for job in memory.jobs.values()):
        if charge is not None:
            key = (job.creation_time.date().isoformat(), charge.money.currency)
            by_day[key] = by_day.get(key, 0) + charge.money.micros
    with repository._database.connection() as connection:
        kept = {
            (day, currency): sum_ for day, currency, sum_ in connection.execute(select(spending))
        }
    assert {key: sum_ for key, sum_ in kept.items() if sum_} == by_day
    repository.close()


def test_a_check_reads_no_jobs(sqlite_repository):
    """Whatever is stored, a submission with two budgets is one short transaction."""
    engine = sqlite_repository._database.engine
    said = []
    budgets = [Budget(period=period, limit=Money.of(100)) for period in BudgetPeriod]
    facts = {"estimate": {"amount": 0.5}}
    sqlite_repository.add_within(make_job(facts=facts), budgets)
    event.listen(
        engine, "before_cursor_execute", lambda _c, _k, statement, *_: said.append(statement)
    )
    sqlite_repository.add_within(make_job(facts=facts), budgets)
    begin, reads, writes, commit = said
    assert (begin, commit) == ("BEGIN IMMEDIATE", "COMMIT")
    assert "tiomagic_jobs" not in reads
    assert writes.startswith("INSERT INTO tiomagic_jobs")
    said.clear()
    sqlite_repository.add(make_job(facts=facts))
    assert len(said) == 1
    with sqlite_repository._database.connection() as connection:
        plan = connection.execute(text("EXPLAIN QUERY PLAN " + reads.replace("?", "'2026'"))).all()
    assert ["SEARCH" in str(row) for row in plan] == [True]


def test_a_budget_of_this_moment_counts_jobs_of_today(sqlite_repository):
    """The days of a budget are those of the jobs' own times."""
    now = datetime.now(tz=UTC)
    today = Budget(period=BudgetPeriod.DAY, limit=Money.of(1))
    facts = {"estimate": {"amount": 1.0}}
    two_days_ago = now - timedelta(days=2)
    sqlite_repository.add_within(make_job(facts=facts, creation_time=two_days_ago), [today])
    sqlite_repository.add_within(make_job(facts=facts, creation_time=now), [today])
    with pytest.raises(ConfigurationError, match="nothing is left today"):
        sqlite_repository.add_within(make_job(facts=facts, creation_time=now), [today])


def test_a_job_that_was_never_sent_costs_nothing_in_the_end(sqlite_url, tmp_path):
    """A process killed between the record and the submission leaves no cost behind.

    The job reserves its estimate until its provider says that there is no run.
    """
    process = workers.SPAWN.Process(
        target=workers.die_before_sending, args=(sqlite_url, tmp_path), daemon=True
    )
    process.start()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    generation = workers.build_priced_generation(sqlite_url, tmp_path)
    (left,) = generation.list(JobQuery())
    assert (left.status, str(find_charge(left).money)) == (JobStatus.QUEUED, "8.00 USD")
    call = {"provider": "modal", "model": "wan2.1-t2v-14b", "arguments": {"prompt": "a fox"}}
    with pytest.raises(ConfigurationError, match=r"2\.00 USD are left"):
        generation.submit(Feature.TEXT_TO_VIDEO, **call)
    ended = generation.check(left.job_id)
    assert (ended.status, ended.error_code, find_charge(ended)) == (JobStatus.FAILED, "lost", None)
    repository = open_repository(sqlite_url)
    budget = Budget(period=BudgetPeriod.DAY, limit=Money.of(10))
    assert repository.sum_taken(budget, left.creation_time) == Money.of(0)
    assert repository.sum_costs(CostQuery()) == []
    repository.close()
