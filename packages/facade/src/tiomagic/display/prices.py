"""Estimates and costs in words: what a run is expected to cost, and what it has cost."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from tiomagic_domain.money.cost import COST
from tiomagic_domain.money.estimate import Estimate, read_estimate
from tiomagic_domain.money.listed_price import ListedPrice, PriceUnit

PART_NAMES: Final = {"run": "run", "cold_start": "cold start", "idle": "idle window"}
"""Parts of an estimate, in their order."""
WHOLE_CENTS_FROM: Final = 0.1
"""Amounts from here on are told in cents, smaller ones with two digits that count."""


def format_amount(amount: float) -> str:
    """Return an amount without its currency, such as ``12.40``, ``0.082`` or ``0.0016``."""
    if amount == 0 or amount >= WHOLE_CENTS_FROM:
        return f"{amount:.2f}"
    digits = f"{amount:.2g}"
    return f"{amount:.6f}".rstrip("0") if "e" in digits else digits


def describe_amount(estimate: Estimate) -> str | None:
    """Return what a run is expected to cost; None if that is nothing, or not known."""
    if estimate.amount is None or estimate.is_free:
        return None
    return f"about {format_amount(estimate.amount)} {estimate.currency}{_spread(estimate)}"


def _spread(estimate: Estimate) -> str:
    low, high = estimate.low, estimate.high
    if low is not None and high is not None and format_amount(low) != format_amount(high):
        return f", {format_amount(low)} to {format_amount(high)}"
    return ""


def describe_parts(estimate: Estimate) -> str | None:
    """Return the amounts that are told apart, in one line; None if there are none."""
    parts = [
        f"{name} {format_amount(estimate.parts[part])}"
        for part, name in PART_NAMES.items()
        if part in estimate.parts
    ]
    return f"{', '.join(parts)} {estimate.currency}" if parts else None


def describe_job_cost(facts: Mapping[str, Any]) -> str | None:
    """Return what a job has cost, or is expected to; None if neither is known.

    Args:
        facts: Of the job.
    """
    cost = facts.get(COST)
    if isinstance(cost, Mapping) and isinstance(cost.get("amount"), int | float):
        per = cost.get("per", "run")
        unit = "" if per == "run" else f" a {per}"
        return f"{format_amount(float(cost['amount']))} {cost.get('currency', 'USD')}{unit}"
    estimate = read_estimate(facts)
    return None if estimate is None else describe_amount(estimate)


def describe_listed_prices(prices: Iterable[ListedPrice]) -> str | None:
    """Return what runs cost by a price list, such as ``0.05 to 0.16 USD/s``; None without prices.

    Args:
        prices: Of one model, in one currency, for any kind of call.
    """
    amounts: dict[str, list[float]] = {}
    for price in prices:
        unit = f"{price.currency}{'/s' if price.unit is PriceUnit.SECOND else ' a video'}"
        amounts.setdefault(unit, []).append(price.amount)
    said = [f"{_say_range(each)} {unit}" for unit, each in amounts.items()]
    return ", ".join(said) or None


def _say_range(amounts: Sequence[float]) -> str:
    least, most = (format_amount(amount) for amount in (min(amounts), max(amounts)))
    return least if least == most else f"{least} to {most}"


def explain_job_cost(facts: Mapping[str, Any]) -> str | None:
    """Return what a job has cost and how that was found, beside what was expected.

    Args:
        facts: Of the job.
    """
    said = describe_job_cost(facts)
    if said is None:
        return None
    cost, estimate = facts.get(COST), read_estimate(facts)
    if not isinstance(cost, Mapping):
        return f"{said} ({estimate.basis})" if estimate is not None and estimate.basis else said
    expected = None if estimate is None else describe_amount(estimate)
    ends = [str(cost["basis"])] if cost.get("basis") else []
    ends += [f"{expected} expected"] if expected else []
    return f"{said} ({'; '.join(ends)})" if ends else said
