"""What is known of each model at a provider: whether it fits, what is here already."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from tiomagic.api.models import find_cards

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.catalogue import ModelCard

KEPT_FOR_S: Final = 30.0
"""Seconds for which the facts of a provider's models are not asked for again."""


class ModelFit(StrEnum):
    """Whether a model fits the machine that would run it."""

    FITS = "fits"
    SLOW = "slow"
    NO = "no"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model at a provider."""

    card: ModelCard
    fit: ModelFit = ModelFit.UNKNOWN
    is_here: bool | None = None
    """True when its weights need no download; None if unknown."""
    why: str = ""
    """Why it does not fit, for people; empty when it does."""
    on_this_machine: bool = False
    """True when the provider runs it here."""


class ModelOverview:
    """The models of each provider with what is known of them. Thread-safe.

    Args:
        session: Knows the providers.
        look: Returns the facts of a model at a provider.
    """

    def __init__(self, session: Session, look: Callable[[ModelCard, str], ModelFacts]) -> None:
        self._session = session
        self._look = look
        self._known: dict[str, tuple[float, dict[str, ModelFacts]]] = {}
        self._lock = threading.Lock()

    def models(self, provider: str, feature: str) -> list[ModelFacts]:
        """Return the models that do a feature at a provider, what fits best first."""
        known = self._facts(provider)
        cards = find_cards(self._session, feature, provider)
        return sorted((known[card.name] for card in cards), key=_order)

    def _facts(self, provider: str) -> dict[str, ModelFacts]:
        with self._lock:
            now = self._session.clock.monotonic()
            when, facts = self._known.get(provider, (float("-inf"), {}))
            if now - when >= KEPT_FOR_S:
                cards = find_cards(self._session, provider=provider)
                facts = {card.name: self._look(card, provider) for card in cards}
                self._known[provider] = (now, facts)
            return facts


def group_by_fit(models: Sequence[ModelFacts]) -> list[tuple[str, list[ModelFacts]]]:
    """Return the models in groups with their titles; empty groups are left out."""
    groups: dict[str, list[ModelFacts]] = {}
    for one in models:
        groups.setdefault(_group_of(one), []).append(one)
    return list(groups.items())


def _order(one: ModelFacts) -> tuple[int, float, float, str]:
    place = [ModelFit.FITS, ModelFit.SLOW, ModelFit.UNKNOWN, ModelFit.NO].index(one.fit)
    return place, one.card.gpu_memory_gib, one.card.weights_gib, one.card.title


def _group_of(one: ModelFacts) -> str:
    if one.fit is ModelFit.FITS:
        return "Fits here" if one.on_this_machine else "Ready to run"
    if one.fit is ModelFit.SLOW:
        return "Works here, slowly"
    if one.fit is ModelFit.NO:
        return "Needs more than this machine has" if one.on_this_machine else "Does not fit"
    memory = one.card.gpu_memory_gib
    if not memory:
        return "Needs no GPU"
    return "For a GPU of up to 12 GB" if memory <= 12 else "For a larger GPU"
