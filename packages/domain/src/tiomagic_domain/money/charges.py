"""What a job counts for in budgets and sums of costs: its real cost, or else its estimate.

::

    job                                  counts with
    not over                             the most of its estimate; its cost so far, if that is more
    over, cost known                     its cost, failed or not: a vendor may bill a failed run
    over, cost not known                 the most of its estimate
    over, never sent, or lost            nothing
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.money.amounts import DEFAULT_CURRENCY, Money
from tiomagic_domain.money.cost import COST
from tiomagic_domain.money.estimate import read_estimate

WHOLE_RUN: Final = "run"
"""Unit of a cost that is for a whole run."""
NOT_SENT: Final = "not_sent"
"""Fact of a job that ended before it was sent to its provider: True."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """What a job counts for."""

    money: Money
    is_real: bool
    """True for what the provider has said; False for an estimate."""


def find_charge(job: Job) -> Charge | None:
    """Return what a job counts for; None for a job that costs nothing, or that nothing says of."""
    real = read_cost(job.facts)
    if job.status.is_terminal:
        if real is not None:
            return Charge(money=real, is_real=True) if real.micros else None
        if job.facts.get(NOT_SENT) is True or job.error_code == ErrorCode.LOST:
            return None
    expected = read_most(job.facts)
    known = [money for money in (expected, real) if money is not None and money.micros]
    # Amounts of two currencies cannot be compared: the run's own is the one that is billed.
    if real is not None and expected is not None and real.currency != expected.currency:
        known = [real]
    if not known:
        return None
    return Charge(money=max(known, key=lambda money: money.micros), is_real=False)


def read_cost(facts: Mapping[str, Any]) -> Money | None:
    """Return the cost of a whole run among a job's facts.

    None if there is none, if it is for another unit such as an hour, or if it cannot be read.
    """
    found = facts.get(COST)
    if not isinstance(found, Mapping) or found.get("per", WHOLE_RUN) != WHOLE_RUN:
        return None
    amount, currency = found.get("amount"), found.get("currency", DEFAULT_CURRENCY)
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return None
    # A vendor's answer is not checked like a caller's: what is no amount counts as not known.
    if not (math.isfinite(amount) and amount >= 0 and isinstance(currency, str) and currency):
        return None
    return Money.of(amount, currency)


def read_most(facts: Mapping[str, Any]) -> Money | None:
    """Return the most that a job was expected to cost; None if that is not known."""
    estimate = read_estimate(facts)
    if estimate is None or estimate.most is None:
        return None
    return Money.of(estimate.most, estimate.currency)
