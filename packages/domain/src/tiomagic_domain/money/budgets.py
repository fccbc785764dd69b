"""Budgets: how much all jobs of a job store, or of one payer, may cost in a day or a month.

Days and months are those of UTC, and a job counts in the one in which it was submitted. What a job
counts for is its charge (:mod:`tiomagic_domain.money.charges`): a job that is not over reserves the
most of its estimate, and its real cost takes that place. A deleted job still counts: its money is
spent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from enum import StrEnum

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.money.amounts import Money


class BudgetPeriod(StrEnum):
    """The time that a budget is for."""

    DAY = "day"
    MONTH = "month"

    def first_day(self, at: datetime) -> date:
        """Return the first day of the period of a moment, in UTC."""
        today = at.astimezone(UTC).date()
        return today if self is BudgetPeriod.DAY else today.replace(day=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """The most that the jobs of a day or a month may cost together."""

    period: BudgetPeriod
    limit: Money
    payer: str | None = None
    """Whose jobs it holds, by :attr:`tiomagic_domain.jobs.job.Job.payer`; None for all jobs."""

    @property
    def setting(self) -> str:
        """The name of the setting that has it, and whose it is."""
        name = "daily_budget" if self.period is BudgetPeriod.DAY else "monthly_budget"
        return name if self.payer is None else f"{name} of {self.payer}"

    def sum_charges(self, days: Mapping[date, int], at: datetime) -> Money:
        """Return what its period has taken so far.

        Args:
            days: Millionths of its currency by the day, at least of all its days until now.
            at: The moment, with zone.
        """
        first = self.period.first_day(at)
        # Not after the day: a clock that is behind must not be charged for another one's tomorrow.
        last = at.astimezone(UTC).date()
        taken = sum(micros for day, micros in days.items() if first <= day <= last)
        return Money(micros=taken, currency=self.limit.currency)

    def require_room(self, wanted: Money, taken: Money) -> None:
        """Raise if a job does not fit.

        Args:
            wanted: The most that the job is likely to cost; of the budget's currency.
            taken: What the period has taken so far.

        Raises:
            ConfigurationError: with the code ``over_budget``.
        """
        if taken.micros + wanted.micros <= self.limit.micros:
            return
        left = Money(micros=max(self.limit.micros - taken.micros, 0), currency=taken.currency)
        raise ConfigurationError(
            f"it is expected to cost up to {wanted.round_up()}, and of {self.setting} {self.limit} "
            f"{self._describe_room(left, taken)}",
            details={
                "setting": self.setting,
                "payer": self.payer,
                "limit": str(self.limit),
                "taken": str(taken),
                "left": str(left),
                "expected": str(wanted),
            },
            code=ErrorCode.OVER_BUDGET,
        )

    def _describe_room(self, left: Money, taken: Money) -> str:
        when = "today" if self.period is BudgetPeriod.DAY else "this month"
        if not left.micros:
            return f"nothing is left {when} (UTC): {taken.round_down()} are spent or expected"
        return f"{left.round_down()} are left {when} (UTC)"
