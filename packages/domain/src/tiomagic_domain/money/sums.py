"""Sums of costs: what jobs have cost, and what those may cost whose cost is not known."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any

from tiomagic_domain.money.amounts import Money


class CostGroup(StrEnum):
    """What costs are summed by."""

    DAY = "day"
    """The day of the submission, in UTC."""
    MODEL = "model"
    PROVIDER = "provider"
    TAG = "tag"
    """A job with several tags counts in each: the rows of tags add up to more than the whole."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostQuery:
    """Which jobs are summed, and by what; None does not filter."""

    by: CostGroup = CostGroup.DAY
    since: datetime | None = None
    """Submitted at this moment or later, with zone."""
    until: datetime | None = None
    """Submitted before this moment, with zone."""
    model: str | None = None
    provider: str | None = None
    tag: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostSum:
    """The costs of the jobs of one day, model, provider or tag, in one currency."""

    group: str
    """The day as ``2026-11-30``, or the name of the model, provider or tag; empty for jobs without
    a tag."""
    currency: str
    """ISO 4217. Amounts of two currencies are in two rows, never added."""
    spent: Money
    """What providers have said that runs cost."""
    expected: Money
    """The most that those are likely to cost whose cost is not known, or not yet."""
    spent_jobs: int
    """How many jobs ``spent`` is of."""
    expected_jobs: int
    """How many jobs ``expected`` is of."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data; amounts in units of the currency."""
        return {
            "group": self.group,
            "currency": self.currency,
            "spent": self.spent.amount,
            "expected": self.expected.amount,
            "spent_jobs": self.spent_jobs,
            "expected_jobs": self.expected_jobs,
        }
