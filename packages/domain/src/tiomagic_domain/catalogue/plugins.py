"""Models of plug-ins (other distributions): each card is checked before it joins the catalogue.

Plugins that cannot be imported, broken cards and duplicate names are left out; everything else
works. :func:`problems` lists them for ``tiomagic doctor``.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from functools import partial
from importlib.metadata import EntryPoint
from typing import Any, Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.schema import Schema

TEXT_FIELDS: Final = ("name", "title", "family", "description", "homepage", "licence", "engine")
POSITIVE_NUMBER_FIELDS: Final = ("fps", "pixels", "prompt_tokens")
"""Facts of a card that must be above 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginProblem:
    """A part of a plugin that is left out."""

    plugin: str
    """The entry point and the distribution that has it."""
    reason: str

    def __str__(self) -> str:
        """Return one line for messages."""
        return f"{self.plugin} is left out: {self.reason}"


def plugin_label(entry: EntryPoint) -> str:
    """Return a plugin's name for messages."""
    distribution = f" of {entry.dist.name}" if entry.dist is not None else ""
    return f"the plugin {entry.name!r} ({entry.value}){distribution}"


def load_plugin(entry: EntryPoint) -> tuple[Any, PluginProblem | None]:
    """Import an entry point; any exception becomes a reported problem."""
    found, wrong = run_plugin_code(entry.load)
    if wrong is None:
        return found, None
    reason = f"it cannot be imported ({wrong})"
    return None, PluginProblem(plugin=plugin_label(entry), reason=reason)


def run_plugin_code(run: Callable[[], Any]) -> tuple[Any, str | None]:
    """Run code of a plugin; return its result, or else its exception.

    Every exception is caught, ``BaseException`` too, except Ctrl-C. Its output goes to stderr,
    because stdout may be data.
    """
    try:
        with redirect_stdout(sys.stderr):
            return run(), None
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - a plug-in's code may raise anything
        return None, describe_plugin_error(error)


def describe_plugin_error(error: BaseException) -> str:
    """Return the class and message of an error; only the class if its ``__str__`` fails."""
    kind = type(error).__name__
    try:
        return f"{kind}: {error}"
    except Exception:  # noqa: BLE001 - so may its __str__
        return kind


def add_cards(
    found: dict[str, ModelCard], entries: Iterable[EntryPoint]
) -> tuple[PluginProblem, ...]:
    """Add the cards of plugins to the catalogue; return what was left out.

    Args:
        found: The shipped cards by name, which no plugin replaces.
        entries: Each names a collection of cards.
    """
    problems: list[PluginProblem] = []
    for entry in entries:
        cards, problem = load_plugin(entry)
        if problem is not None:
            problems.append(problem)
            continue
        listed, raised = run_plugin_code(partial(list, cards))
        if raised is not None:
            reason = f"it names no collection of cards ({raised})"
            problems.append(PluginProblem(plugin=plugin_label(entry), reason=reason))
            continue
        for card in listed:
            wrong = _flaw(card, found)
            if wrong is None:
                found[card.name] = card
            else:
                problems.append(
                    PluginProblem(plugin=f"a card of {plugin_label(entry)}", reason=wrong)
                )
    return tuple(problems)


def _flaw(card: Any, found: Mapping[str, ModelCard]) -> str | None:
    """Return why a card cannot be used, or None."""
    if not isinstance(card, ModelCard):
        return f"it is a {type(card).__name__}, and no ModelCard"
    name: Any = card.name
    if isinstance(name, str) and name in found:
        return f"there is a model {name!r} already"
    # A plugin's fact may be any object, and its methods may raise.
    found_wrong, raised = run_plugin_code(
        lambda: _wrong_facts(card) or _wrong_features(card.features)
    )
    wrong = raised or found_wrong
    return None if wrong is None else f"the card {name!r} is broken: {wrong}"


def _wrong_facts(card: ModelCard) -> str | None:
    for fact in TEXT_FIELDS:
        value: Any = getattr(card, fact)
        if not isinstance(value, str) or not (value or fact != "name"):
            return f"{fact} is {value!r}, and no text"
    for fact in POSITIVE_NUMBER_FIELDS:
        number: Any = getattr(card, fact)
        if isinstance(number, bool) or not isinstance(number, int | float) or number <= 0:
            return f"{fact} is {number!r}, and no number above 0"
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
