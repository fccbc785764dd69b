"""What a provider gets to know for the estimate of a run: measured runs, and the work of a run."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.preflight import RunTime
from tiomagic_domain.quantities import HOUR_S

CountOperations = Callable[[ModelCard, Mapping[str, Any]], float | None]
"""Returns the floating point operations of a run with some settings; None if they are unknown."""


def count_nothing(_card: ModelCard, _settings: Mapping[str, Any]) -> float | None:
    """Return None: the operations of no model are known."""
    return None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownRuns:
    """What is known of a model's runs at a provider."""

    at: datetime
    """The moment of the estimate, with zone."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Of the run, with the model's defaults for what the call leaves out."""
    past: Sequence[Job] = ()
    """The newest completed jobs of the model at the provider, the newest first."""
    time: RunTime | None = None
    """About how long the run takes: by these jobs, else as the provider's preflight says."""
    count_operations: CountOperations = count_nothing
    """Counts the work of a run, where a package of engines is installed that can."""


def estimate_from_cost(cost: Cost | None, time: RunTime | None) -> Estimate:
    """Return the estimate of a run from what its provider says of its cost.

    Args:
        cost: Of the run, or of an hour; None if the provider says nothing.
        time: About how long it takes; None if unknown.
    """
    seconds = None if time is None else time.seconds
    said = "" if time is None else time.basis
    if cost is None:
        return Estimate(seconds=seconds, basis=said)
    amount = cost.amount if cost.per == "run" else None
    if cost.per == "hour" and seconds is not None:
        amount = cost.amount * seconds / HOUR_S
    rate = cost.basis or f"{cost.amount:g} {cost.currency} a {cost.per}, as the provider says"
    return Estimate(
        seconds=seconds,
        amount=amount,
        currency=cost.currency,
        basis=f"{said}; {rate}" if said else rate,
    )
