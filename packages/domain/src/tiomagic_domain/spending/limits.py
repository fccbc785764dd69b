"""Limits of what runs may cost: ``max_cost`` of one call, and the budgets of a day and a month.

A call above its limit is refused before anything is stored or sent. A budget is checked by the
repository in the same step that stores the job, so that processes that submit at once cannot pass
it together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.cost_keeping import KeepsCosts
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.spending.cheaper_calls import CheaperCall
from tiomagic_domain.suggestions import shorten_repr

MAX_COST: Final = "max_cost"
"""The argument, and the setting, of the limit of one call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CostLimits:
    """The limits that hold for a call."""

    max_cost: Money | None = None
    """Of the run; None for no limit."""
    budgets: tuple[Budget, ...] = ()

    def of_call(self, max_cost: object) -> CostLimits:
        """Return the limits of a call; None for the one that is set for all.

        Raises:
            ValidationError: when it is no amount.
        """
        if max_cost is None:
            return self
        return CostLimits(max_cost=read_max_cost(max_cost), budgets=self.budgets)

    def within(self, budgets: Sequence[Budget]) -> CostLimits:
        """Return the limits with further budgets."""
        if not budgets:
            return self
        return CostLimits(max_cost=self.max_cost, budgets=(*self.budgets, *budgets))

    @property
    def by_name(self) -> dict[str, Money]:
        """All limits by the names of their settings."""
        own = {} if self.max_cost is None else {MAX_COST: self.max_cost}
        return own | {budget.setting: budget.limit for budget in self.budgets}


def set_no_limits() -> CostLimits:
    """Return no limits: what holds where none were set."""
    return CostLimits()


LimitsThatHold = Callable[[], CostLimits]
"""Returns the limits that hold now."""
FindCheaper = Callable[[Request, Money], Sequence[CheaperCall]]
"""Returns what would fit into an amount in place of a request."""


def read_max_cost(given: object) -> Money | None:
    """Return the limit of a call; None for the word of no limit.

    Raises:
        ValidationError: when it is no amount.
    """
    try:
        return Money.parse_limit(given)
    except ValueError as error:
        problem = Problem(field=MAX_COST, message=str(error), given=shorten_repr(given))
        raise ValidationError.of([problem], subject="the call") from error


def require_affordable(
    request: Request,
    estimate: Estimate | None,
    limits: CostLimits,
    find_cheaper: FindCheaper,
) -> None:
    """Raise if a call may cost more than its own limit, or cannot be compared with a limit.

    Args:
        request: The call.
        estimate: Of its provider; None if that failed to make one.
        limits: Those that hold for it.
        find_cheaper: Finds what would fit.

    Raises:
        ConfigurationError: with the code ``over_budget``; nothing was stored.
    """
    if not limits.by_name or (estimate is not None and estimate.is_free):
        return
    most = None if estimate is None else estimate.most
    if estimate is None or most is None:
        raise _refuse_unknown(request, estimate, limits)
    wanted = Money.of(most, estimate.currency)
    foreign = {k: v for k, v in limits.by_name.items() if v.currency != wanted.currency}
    if foreign:
        name, limit = next(iter(foreign.items()))
        raise _error(
            request.job,
            f"it is expected to cost up to {wanted.round_up()}, and {name} {limit} is in another "
            f"currency: set it in {wanted.currency}",
            {"limit": str(limit), "setting": name, "estimate": estimate.to_dict()},
        )
    own = limits.max_cost
    if own is None or wanted.micros <= own.micros:
        return
    said = f"it is expected to cost {_describe_spread(estimate)}, and {MAX_COST} is {own}"
    details = {"limit": str(own), "setting": MAX_COST, "left": str(own)}
    raise with_ways_out(_error(request.job, said, details), request, estimate, find_cheaper)


def find_refusal(
    request: Request,
    estimate: Estimate | None,
    limits: CostLimits,
    repository: object,
    find_cheaper: FindCheaper,
) -> ConfigurationError | None:
    """Return the error that a submission would raise now; None if it is within its limits.

    Args:
        request: The call.
        estimate: Of its provider; None if that failed to make one.
        limits: Those that hold for it.
        repository: With the sums of the budgets, where it keeps them.
        find_cheaper: Finds what would fit.
    """
    try:
        require_affordable(request, estimate, limits, find_cheaper)
        if estimate is None or not estimate.most or not isinstance(repository, KeepsCosts):
            return None
        wanted = Money.of(estimate.most, estimate.currency)
        for budget in limits.budgets:
            at = request.job.creation_time
            budget.require_room(wanted, repository.sum_taken(budget, at))
    except ConfigurationError as error:
        if error.code != ErrorCode.OVER_BUDGET:
            raise
        if "nearest" in error.details:
            return error
        return with_ways_out(error, request, estimate, find_cheaper)
    return None


def with_ways_out(
    error: ConfigurationError,
    request: Request,
    estimate: Estimate | None,
    find_cheaper: FindCheaper,
) -> ConfigurationError:
    """Return the refusal of a call with what would fit in its place.

    Args:
        error: With what is left, as text, in its details.
        request: The call.
        estimate: Its estimate.
        find_cheaper: Finds what would fit.
    """
    left = error.details.get("left")
    ways = find_cheaper(request, Money.parse(left)) if isinstance(left, str) else ()
    listed = "".join(f"\n  - {way.text}" for way in ways)
    details = {
        **error.details,
        "estimate": None if estimate is None else estimate.to_dict(),
        "nearest": [way.to_dict() for way in ways],
        "alternatives": [way.alternative for way in ways if way.alternative],
    }
    message = error.message
    if not message.startswith(request.card.name):
        message = f"{_say_not_run(request.job)}: {message}"
    text = f"{message}\nWithin the limit:{listed}" if ways else message
    return ConfigurationError(text, details=details, code=error.code)


def _refuse_unknown(
    request: Request, estimate: Estimate | None, limits: CostLimits
) -> ConfigurationError:
    name, limit = next(iter(limits.by_name.items()))
    why = f" ({estimate.basis})" if estimate is not None and estimate.basis else ""
    return _error(
        request.job,
        f"what it costs is not known{why}, and {name} is {limit}. Without that limit it runs, at "
        "whatever price",
        {"limit": str(limit), "setting": name, "estimate": estimate and estimate.to_dict()},
    )


def _describe_spread(estimate: Estimate) -> str:
    """Return an amount with its spread."""
    most = Money.of(estimate.most or 0, estimate.currency).round_up()
    if estimate.low is None or estimate.low == estimate.most:
        return str(most)
    low = Money.of(estimate.low, estimate.currency).round_down()
    return f"{str(low).partition(' ')[0]} to {most}"


def _say_not_run(job: Job) -> str:
    return f"{job.model} was not run on {job.provider}"


def _error(job: Job, text: str, details: Mapping[str, Any]) -> ConfigurationError:
    found = {"nearest": [], **details}
    return ConfigurationError(
        f"{_say_not_run(job)}: {text}", details=found, code=ErrorCode.OVER_BUDGET
    )
