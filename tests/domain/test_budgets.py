"""Amounts of money, what a job counts for, and budgets."""

import math
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.money.amounts import LARGEST_AMOUNT, Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.charges import find_charge, read_cost
from tiomagic_domain.testing import NOON, make_job


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (2, "2.00 USD"),
        (2.5, "2.50 USD"),
        (0.1 + 0.2, "0.30 USD"),
        (0.000306, "0.000306 USD"),
        (Decimal("1.10"), "1.10 USD"),
        ("7", "7.00 USD"),
        (" 2.50 eur ", "2.50 EUR"),
        ("2.50EUR", "2.50 EUR"),
        (0, "0.00 USD"),
        (1e-9, "0.00 USD"),
        (LARGEST_AMOUNT, "1000000000.00 USD"),
        (Money.of(3, "CHF"), "3.00 CHF"),
    ],
)
def test_amounts_that_are_taken(given, said):
    """Numbers are of dollars; a text can name its currency. A shown amount is taken again."""
    assert str(Money.parse(given)) == said
    assert Money.parse(said) == Money.parse(given)


@pytest.mark.parametrize(
    "given",
    [
        -1,
        "-1",
        math.nan,
        math.inf,
        True,
        None,
        "",
        "much",
        "$5",
        "5 dollars",
        "1e3",
        1e300,
        [5],
        "2,5",
        LARGEST_AMOUNT + 1,
    ],
)
def test_amounts_that_are_refused(given):
    """What is no amount is an error that shows one."""
    with pytest.raises(ValueError, match=r"2\.50 EUR"):
        Money.parse(given)


@given(st.integers(0, 10**9))
def test_what_is_shown_is_on_the_safe_side(micros):
    """A cost is rounded up and a rest down, by less than a cent."""
    exact = Money(micros=micros)
    assert exact.round_down().micros <= micros <= exact.round_up().micros
    assert exact.round_up().micros - exact.round_down().micros <= 10_000
    assert len(str(exact.round_up())) <= len("1000.00 USD")


@given(st.lists(st.integers(0, 10**9), max_size=30))
def test_sums_are_exact(micros):
    """Amounts that pass through floats and texts add up without an error."""
    amounts = [Money.of(one / 1_000_000) for one in micros]
    assert sum(one.micros for one in amounts) == sum(micros)
    assert [Money.parse(str(one)) for one in amounts] == amounts


@pytest.mark.parametrize(
    "cost",
    [
        {"amount": 3.0, "currency": "USD", "per": "hour"},
        {"amount": -1.0},
        {"amount": math.nan},
        {"amount": True},
        {"amount": "3"},
        {"amount": 1.0, "currency": 7},
        {},
        "3 USD",
        None,
    ],
)
def test_a_cost_that_says_nothing(cost):
    """A cost for an hour, or one that cannot be read, is not known: the estimate counts."""
    facts = {"cost": cost, "estimate": {"amount": 2.0, "high": 3.0}}
    assert read_cost(facts) is None
    charge = find_charge(make_job(status=JobStatus.COMPLETED, facts=facts))
    assert (str(charge.money), charge.is_real) == ("3.00 USD", False)


def test_a_running_job_that_costs_more_than_expected():
    """The cost so far counts once it is above the estimate; below, the estimate does."""
    known = {"estimate": {"amount": 2.0}, "cost": {"amount": 2.5}}
    charge = find_charge(make_job(status=JobStatus.RUNNING, facts=known))
    assert (str(charge.money), charge.is_real) == ("2.50 USD", False)
    known["cost"] = {"amount": 1.0}
    assert str(find_charge(make_job(status=JobStatus.RUNNING, facts=known)).money) == "2.00 USD"
    known["cost"] = {"amount": 1.0, "currency": "EUR"}
    assert str(find_charge(make_job(status=JobStatus.RUNNING, facts=known)).money) == "1.00 EUR"


def test_a_job_of_which_nothing_is_known_counts_for_nothing():
    """Local runs have no price, and neither has a job with an estimate of seconds alone."""
    assert find_charge(make_job()) is None
    assert find_charge(make_job(facts={"estimate": {"seconds": 90.0}})) is None
    assert find_charge(make_job(facts={"estimate": {"amount": 0.0, "high": 0.0}})) is None


def test_periods_begin_in_utc():
    """A day and a month begin at midnight in UTC."""
    late = datetime.fromisoformat("2026-12-01T00:30:00+09:00")
    assert BudgetPeriod.DAY.first_day(late) == date(2026, 11, 30)
    assert BudgetPeriod.MONTH.first_day(late) == date(2026, 11, 1)


@given(
    st.dictionaries(st.integers(-45, 3), st.integers(0, 10**9)),
    st.sampled_from(BudgetPeriod),
    st.integers(0, 10**9),
)
def test_a_budget_is_never_passed(charges, period, micros):
    """A job is let in exactly when the sum with it is at most the budget."""
    budget = Budget(period=period, limit=Money.of(500))
    days = {date.fromordinal(NOON.date().toordinal() + day): sum_ for day, sum_ in charges.items()}
    taken = budget.sum_charges(days, NOON)
    today = NOON.astimezone(UTC).date()
    wanted = [
        sum_
        for day, sum_ in days.items()
        if day == today
        or (period is BudgetPeriod.MONTH and day <= today and day.month == today.month)
    ]
    assert taken.micros == sum(wanted)
    fits = taken.micros + micros <= budget.limit.micros
    if fits:
        budget.require_room(Money(micros=micros), taken)
        return
    with pytest.raises(ConfigurationError) as refused:
        budget.require_room(Money(micros=micros), taken)
    left = Money.parse(refused.value.details["left"])
    assert left.micros == max(budget.limit.micros - taken.micros, 0)
