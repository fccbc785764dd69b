"""Budgets, rates and sums of costs in SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    case,
    func,
    insert,
    literal,
    select,
    text,
)

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.money.charges import find_charge
from tiomagic_domain.money.sums import CostGroup, CostQuery, CostSum
from tiomagic_storage.database.exclusive import hold_exclusively
from tiomagic_storage.database.tables import escape_text, format_time, jobs, payers, spending, tags
from tiomagic_storage.jobs.filters import count_jobs

# An arbitrary number that other applications in the same database are unlikely to use.
_LIMITS_LOCK: Final = 0x7710_3A62
_DAY_LENGTH: Final = 10
"""Characters of a date at the start of a stored time, which is UTC."""


def insert_within(
    connection: Connection,
    job: Job,
    row: Mapping[str, Any],
    budgets: Sequence[Budget],
    rate: JobRate | None,
) -> None:
    """Insert a job, if it fits into the budgets of its currency and the rate: one at a time.

    Raises:
        ConfigurationError: with the code ``over_budget``; nothing was written.
        RateLimitError: nothing was written.
    """
    charge = find_charge(job)
    held = [b for b in budgets if charge and b.limit.currency == charge.money.currency]
    if rate is None and not held:
        connection.execute(insert(jobs), row)
        return
    with hold_exclusively(connection, _LIMITS_LOCK):
        if rate is not None:
            query = rate.counted_at(job.creation_time)
            rate.require_room(connection.execute(count_jobs(query)).scalar_one())
        _require_budgets(connection, job, held)
        connection.execute(insert(jobs), row)


def _require_budgets(connection: Connection, job: Job, held: Sequence[Budget]) -> None:
    """Raise if a budget of a job's currency has no room for it."""
    charge = find_charge(job)
    if charge is not None and held:
        first = min(budget.period.first_day(job.creation_time) for budget in held)
        days = {
            payer: _read_days(connection, charge.money.currency, first, payer)
            for payer in {budget.payer for budget in held}
        }
        for budget in held:
            taken = budget.sum_charges(days[budget.payer], job.creation_time)
            budget.require_room(charge.money, taken)


def read_taken(connection: Connection, budget: Budget, at: datetime) -> Money:
    """Return what the period of a budget has taken so far."""
    first = budget.period.first_day(at)
    days = _read_days(connection, budget.limit.currency, first, budget.payer)
    return budget.sum_charges(days, at)


def _read_days(
    connection: Connection, currency: str, first: date, payer: str | None
) -> dict[date, int]:
    """Return the charges of each day from the first one on, in millionths of the currency.

    Args:
        connection: To the database.
        currency: ISO 4217.
        first: The day.
        payer: Whose; None for those of all jobs.
    """
    source = spending if payer is None else payers
    wanted = (source.c.day >= first.isoformat()) & (source.c.currency == escape_text(currency))
    if payer is not None:
        wanted &= payers.c.payer == escape_text(payer)
    rows = connection.execute(select(source.c.day, source.c.charge).where(wanted))
    return {date.fromisoformat(day): charge for day, charge in rows}


def read_costs(connection: Connection, query: CostQuery) -> Sequence[CostSum]:
    """Return the sums of the charges of stored jobs, sorted by group and currency."""
    source, group = _choose_group(query.by)
    real = jobs.c.charge_is_real == 1
    statement = (
        select(
            group.label("name"),
            jobs.c.currency,
            func.sum(case((real, jobs.c.charge), else_=0)).label("spent"),
            func.sum(case((real, 0), else_=jobs.c.charge)).label("expected"),
            func.sum(case((real, 1), else_=0)).label("spent_jobs"),
            func.sum(case((real, 0), else_=1)).label("expected_jobs"),
        )
        .select_from(source)
        .where(jobs.c.charge > 0, *_build_conditions(query))
        # By its name: PostgreSQL takes an expression with a parameter for another one here.
        .group_by(text("name"), jobs.c.currency)
    )
    found = [_from_sum_row(row) for row in connection.execute(statement).mappings()]
    return sorted(found, key=lambda one: (one.group, one.currency))


def _choose_group(by: CostGroup) -> tuple[FromClause, ColumnElement[str]]:
    match by:
        case CostGroup.DAY:
            return jobs, func.substr(jobs.c.creation_time, 1, _DAY_LENGTH)
        case CostGroup.MODEL:
            return jobs, jobs.c.model
        case CostGroup.PROVIDER:
            return jobs, jobs.c.provider
        case CostGroup.TAG:
            joined = jobs.outerjoin(tags, tags.c.job_id == jobs.c.job_id)
            return joined, func.coalesce(tags.c.tag, literal(""))


def _build_conditions(query: CostQuery) -> list[ColumnElement[bool]]:
    equal = {jobs.c.model: query.model, jobs.c.provider: query.provider}
    found = [column == value for column, value in equal.items() if value is not None]
    if query.tag is not None:
        tagged = select(tags.c.job_id).where(tags.c.tag == escape_text(query.tag))
        found.append(jobs.c.job_id.in_(tagged))
    if query.since is not None:
        found.append(jobs.c.creation_time >= format_time(query.since))
    if query.until is not None:
        found.append(jobs.c.creation_time < format_time(query.until))
    return found


def _from_sum_row(row: Mapping[Any, Any]) -> CostSum:
    currency = row["currency"]
    return CostSum(
        group=row["name"],
        currency=currency,
        # PostgreSQL's sum of whole numbers is a decimal.
        spent=Money(micros=int(row["spent"]), currency=currency),
        expected=Money(micros=int(row["expected"]), currency=currency),
        spent_jobs=int(row["spent_jobs"]),
        expected_jobs=int(row["expected_jobs"]),
    )
