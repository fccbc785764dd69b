"""Models that other distributions bring: each looked at before it is believed.

A plugin that cannot be imported, a card that is broken and a name that exists are left out, and
everything else works: :func:`problems` says what is missing, for ``tiomagic doctor``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.schema import Schema
from tiomagic_domain.values import UNSET

TEXTS: Final = ("name", "title", "family", "description", "homepage", "licence", "engine")
NUMBERS: Final = ("fps", "pixels", "prompt_tokens")
"""Facts of a card that are more than 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """Something that a plugin brings and that is left out."""

    plugin: str
    """The entry point and the distribution that has it."""
    reason: str

    def __str__(self) -> str:
        """Return one line for a person."""
        return f"{self.plugin} is left out: {self.reason}"


def called(entry: EntryPoint) -> str:
    """Return what a person knows a plugin by."""
    distribution = f" of {entry.dist.name}" if entry.dist is not None else ""
    return f"the plugin {entry.name!r} ({entry.value}){distribution}"


def load(entry: EntryPoint) -> tuple[Any, PluginProblem | None]:
    """Import what an entry point names; whatever it raises is a problem and no error."""
    try:
        return entry.load(), None
    except (Exception, SystemExit) as error:  # noqa: BLE001 - it runs somebody else's module
        reason = f"it cannot be imported ({type(error).__name__}: {error})"
        return None, PluginProblem(plugin=called(entry), reason=reason)


def add_cards(
    found: dict[str, ModelCard], entries: Iterable[EntryPoint]
) -> tuple[PluginProblem, ...]:
    """Add the cards of plugins to those that are there; return what was left out.

    Args:
        found: Cards by name; ours, which no plugin replaces.
        entries: Each names a collection of cards.
    """
    problems: list[PluginProblem] = []
    for entry in entries:
        cards, problem = load(entry)
        if problem is not None:
            problems.append(problem)
            continue
        try:
            listed = list(cards)
        except Exception as error:  # noqa: BLE001 - the same
            reason = f"it names no collection of cards ({type(error).__name__}: {error})"
            problems.append(PluginProblem(plugin=called(entry), reason=reason))
            continue
        for card in listed:
            wrong = _flaw(card, found)
            if wrong is None:
                found[card.name] = card
            else:
                problems.append(PluginProblem(plugin=f"a card of {called(entry)}", reason=wrong))
    return tuple(problems)


def _flaw(card: Any, found: Mapping[str, ModelCard]) -> str | None:
    """Return why a card cannot be used, or None."""
    if not isinstance(card, ModelCard):
        return f"it is a {type(card).__name__}, and no ModelCard"
    name: Any = card.name
    if isinstance(name, str) and name in found:
        return f"there is a model {name!r} already"
    try:
        wrong = _wrong_facts(card) or _wrong_features(card.features)
    except Exception as error:  # noqa: BLE001 - a fact may be anything, and do anything
        wrong = f"{type(error).__name__}: {error}"
    return None if wrong is None else f"the card {name!r} is broken: {wrong}"


def _wrong_facts(card: ModelCard) -> str | None:
    for fact in TEXTS:
        value: Any = getattr(card, fact)
        if not isinstance(value, str) or not (value or fact != "name"):
            return f"{fact} is {value!r}, and no text"
    for fact in NUMBERS:
        number: Any = getattr(card, fact)
        if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
            return f"{fact} is {number!r}, and no number above 0"
    providers: Any = card.providers
    if not providers or isinstance(providers, str):
        return f"providers is {providers!r}, and no set of names"
    return None


def _wrong_features(features: Any) -> str | None:
    if not isinstance(features, Mapping) or not features:
        return "it serves no feature"
    for feature, schema in features.items():
        if not isinstance(feature, Feature) or not isinstance(schema, Schema):
            return f"{feature!r} is no Feature with a Schema"
        if "prompt" not in schema:
            return f"{feature.value} takes no prompt"
        schema.to_json_schema()
        for parameter in schema.parameters:
            problem = None if parameter.default is UNSET else parameter.problem(parameter.default)
            if problem is not None:
                return f"the default of {parameter.name} {problem.message}"
    return None
