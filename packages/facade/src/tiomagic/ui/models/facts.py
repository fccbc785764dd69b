"""What is known of each model at a provider: whether it fits, what is here already."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from tiomagic.api.models import find_cards
from tiomagic.api.plan import check_models
from tiomagic.display.phrases.page import PAGE_WORDS
from tiomagic.display.phrases.rewording import reword
from tiomagic.wiring.registry import uses_devices
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.preflight.preflight import FitVerdict

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.ports.rehearsal import Check
    from tiomagic_domain.preflight.preflight import Preflight

KEPT_FOR_S: Final = 30.0
"""Seconds for which the facts of a provider's models are not asked for again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelFacts:
    """A model at a provider."""

    card: ModelCard
    preflight: Preflight | None = None
    """What a run with its defaults would take; None if the provider cannot be asked."""

    @property
    def fit(self) -> FitVerdict:
        """Whether it fits the machine that would run it."""
        return FitVerdict.UNKNOWN if self.preflight is None else self.preflight.fit

    @property
    def is_here(self) -> bool | None:
        """True when its weights need no download; None if unknown."""
        return None if self.preflight is None else self.preflight.is_here

    @property
    def on_this_machine(self) -> bool:
        """True when the provider runs it here."""
        return self.preflight is not None and uses_devices(self.preflight.provider)

    @property
    def is_ready(self) -> bool:
        """False when something is known that would stop a run, such as a token that is missing."""
        return self.preflight is None or self.preflight.can_run

    @property
    def why(self) -> str:
        """Why it does not fit, is slow or not ready, for people; empty when it can run."""
        if self.preflight is None or (self.fit is FitVerdict.FITS and self.is_ready):
            return ""
        return say_checks(self.preflight.problems or self.preflight.warnings)


def say_checks(checks: Sequence[Check]) -> str:
    """Return checks as sentences for the page."""
    texts = [reword(check.message, PAGE_WORDS) for check in checks]
    return " ".join(f"{text[:1].upper()}{text[1:].rstrip('.')}." for text in texts)


class ModelOverview:
    """The models of each provider with what is known of them. Thread-safe.

    Args:
        session: Knows the providers.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
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
                found = self._look(cards, provider)
                facts = {
                    card.name: ModelFacts(card=card, preflight=found.get(card.name))
                    for card in cards
                }
                self._known[provider] = (now, facts)
            return facts

    def _look(self, cards: Sequence[ModelCard], provider: str) -> Mapping[str, Preflight]:
        try:
            return check_models(self._session, cards, provider)
        except TioMagicError:
            # Not installed, or a setting is missing: a submission reports it.
            return {}


def group_by_fit(models: Sequence[ModelFacts]) -> list[tuple[str, list[ModelFacts]]]:
    """Return the models in groups with their titles; empty groups are left out."""
    groups: dict[str, list[ModelFacts]] = {}
    for one in models:
        groups.setdefault(_group_of(one), []).append(one)
    return list(groups.items())


def _order(one: ModelFacts) -> tuple[int, float, float, str]:
    place = [FitVerdict.FITS, FitVerdict.SLOW, FitVerdict.UNKNOWN, FitVerdict.NO].index(one.fit)
    return place, one.card.gpu_memory_gib, one.card.weights_gib, one.card.title


def _group_of(one: ModelFacts) -> str:
    if one.fit is FitVerdict.FITS and not one.is_ready:
        return "Not ready"
    if one.fit is FitVerdict.FITS:
        return "Fits here" if one.on_this_machine else "Ready to run"
    if one.fit is FitVerdict.SLOW:
        return "Works here, slowly"
    if one.fit is FitVerdict.NO:
        return "Needs more than this machine has" if one.on_this_machine else "Does not fit"
    memory = one.card.gpu_memory_gib
    if not memory:
        return "Needs no GPU"
    return "For a GPU of up to 12 GiB" if memory <= 12 else "For a larger GPU"
