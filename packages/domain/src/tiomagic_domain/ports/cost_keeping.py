"""Port: what a job repository does about limits: budgets, rates, and sums of costs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from datetime import datetime

from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.money.sums import CostQuery, CostSum


class KeepsCosts(ABC):
    """Base of a job repository that can hold budgets and rates, and sum costs."""

    @abstractmethod
    def add_within(self, job: Job, budgets: Sequence[Budget], rate: JobRate | None = None) -> None:
        """Store a new job durably, if it fits into every budget of its currency, and its rate.

        The check and the write are one: of many processes that add jobs at once, those are refused
        for which there is no room beside the others. What a day or a month has taken is the sum of
        the charges of its jobs, also of those that were deleted since.

        Args:
            job: With what it counts for, see :func:`tiomagic_domain.money.charges.find_charge`; one
                that counts for nothing is always added.
            budgets: Those of the job's currency; others are ignored. One with a payer counts the
                jobs of that payer alone.
            rate: Counts the stored jobs with its tag; None for any number.

        Raises:
            RateLimitError: when the rate has no room for it; nothing was stored.
            ConfigurationError: with the code ``over_budget``; nothing was stored.
            ProcessingError: as ``JobRepository.add``.
        """

    @abstractmethod
    def sum_taken(self, budget: Budget, at: datetime) -> Money:
        """Return what the period of a budget has taken so far, in the budget's currency.

        Args:
            budget: The budget.
            at: The moment, with zone.
        """

    @abstractmethod
    def sum_costs(self, query: CostQuery) -> Sequence[CostSum]:
        """Return the sums of the charges of stored jobs, sorted by group and currency.

        Jobs that count for nothing are in no row; deleted ones are in none either.
        """
