"""The result of a preflight: facts, checks, verdict and alternatives, as plain data too."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.preflight import PlanNeed, RunConditions, RunTime
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome


class FitVerdict(StrEnum):
    """Whether a model fits the machine that would run it."""

    FITS = "fits"
    SLOW = "slow"
    """It may work, and slowly: on a CPU, or with less main memory than the weights take, which are
    then read again and again."""
    NO = "no"
    """It cannot work, or would take days; it runs only by force."""
    UNKNOWN = "unknown"
    """The provider does not say enough."""


class AlternativeKind(StrEnum):
    """The kind of a way out."""

    PROVIDER = "provider"
    MODEL = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """Something that would work in place of a run that cannot."""

    kind: AlternativeKind
    name: str
    """Of the provider or the model."""
    note: str = ""
    """What is still missing for it, for people; empty for nothing."""

    def to_dict(self) -> dict[str, str]:
        """Return plain data."""
        return {"kind": self.kind.value, "name": self.name, "note": self.note}


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a run would take at a provider, before it runs."""

    card: ModelCard
    provider: str
    conditions: RunConditions
    fit: FitVerdict
    plan: PlanNeed | None = None
    """The memory plan that the run would take; None if none fits, or the needs are unknown."""
    checks: tuple[Check, ...] = ()
    """What is in order, what may go wrong, and what cannot work."""
    time: RunTime | None = None
    """About how long it takes, without the download; None if unknown."""
    cost: Cost | None = None
    estimate: Estimate | None = None
    """What the run is expected to take and to cost; None where no call is known."""
    is_accepted: bool = True
    """False while the model waits for a consent to its terms."""
    alternatives: tuple[Alternative, ...] = ()
    """What would work in its place; looked for only when the run is refused."""

    @property
    def problems(self) -> tuple[Check, ...]:
        """The checks that say why it cannot work; the run is refused unless forced."""
        return tuple(check for check in self.checks if check.outcome is CheckOutcome.PROBLEM)

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The checks that say what may go wrong."""
        return tuple(check for check in self.checks if check.outcome is CheckOutcome.WARNING)

    @property
    def can_run(self) -> bool:
        """True when nothing is known that would stop it."""
        return not self.problems

    @property
    def is_here(self) -> bool | None:
        """True when no weights are to be fetched; None if unknown."""
        weights = self.conditions.weights
        return None if weights is None else weights.fetch_bytes == 0

    @property
    def fetch_bytes(self) -> int:
        """The bytes that the run would download first; 0 if unknown."""
        weights = self.conditions.weights
        return 0 if weights is None else weights.fetch_bytes

    @property
    def has_estimated_sizes(self) -> bool:
        """True when weights are to be fetched whose sizes are only about known."""
        weights = self.conditions.weights
        return weights is not None and weights.fetch_bytes > 0 and not weights.is_exact

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        return {
            "model": self.card.name,
            "provider": self.provider,
            "fit": self.fit.value,
            "can_run": self.can_run,
            "is_here": self.is_here,
            **self.conditions.to_dict(),
            "plan": self.plan and self.plan.plan,
            "time": self.time and self.time.to_dict(),
            "cost": self.cost and self.cost.to_dict(),
            "estimate": self.estimate and self.estimate.to_dict(),
            "licence": {
                "name": self.card.licence,
                "use": self.card.terms.use.value,
                "publishing": self.card.terms.publishing,
            },
            "terms": self._terms(),
            "gated": self.card.gated,
            "checks": [check.to_dict() for check in self.checks],
            "alternatives": [one.to_dict() for one in self.alternatives],
        }

    def _terms(self) -> dict[str, Any] | None:
        terms = self.card.must_accept
        if terms is None:
            return None
        return {**terms.to_dict(), "is_accepted": self.is_accepted}
