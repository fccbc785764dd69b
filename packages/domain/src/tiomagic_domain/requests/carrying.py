"""Carries the choices of one call over to another model: what fits, and why the rest does not.

A chosen value that the other model lacks is left out. One that is illegal there becomes the nearest
legal value, as for a call by hand, and a size the nearest one of the same shape; a text or an
object has no nearest value and is left out. A value that is the first model's only legal one was no
choice, and is left out too: 64 pixels of a model that makes nothing else say nothing about the size
of another model's video. Weights (LoRAs, commits) fit one model only. Each change has a reason in
words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.few_steps import ACCELERATION_ARGUMENT
from tiomagic_domain.errors import Problem
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.requests.asked_sizes import resolve_asked_sizes
from tiomagic_domain.requests.defaults import (
    apply_few_step_settings,
    size_from_picture,
    size_source,
)
from tiomagic_domain.requests.sizing import nearest_size
from tiomagic_domain.schema.keyframes import KEYFRAMES
from tiomagic_domain.schema.parameter import UNSET, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import shorten_repr

SIDES: Final = ("width", "height")
MAX_SIDE: Final = 1_000_000
"""More pixels than a side of any picture has."""
CHANGED_CHOICES_FACT: Final = "changed_choices"
"""Fact of a rerun on another model: what it did not take as it was, as ``CarryChange.to_dict``."""
MODEL_SPECIFIC_ARGUMENTS: Final = frozenset({"loras", "revisions", "weights"})
"""Arguments that select weights."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CarryChange:
    """A chosen value that another model does not take as it is."""

    name: str
    """The parameter's name."""
    given: object
    """The chosen value."""
    used: object = None
    """The nearest legal value; None when the choice is left out."""
    reason: str
    """Why, in words."""

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {"name": self.name, "given": self.given, "used": self.used, "reason": self.reason}

    def __str__(self) -> str:
        """Return one line, such as ``flow_shift=3.0 is left out: ltx-2 has no such setting``."""
        what = "is left out" if self.used is None else f"becomes {shorten_repr(self.used, 40)}"
        return f"{self.name}={shorten_repr(self.given, 40)} {what}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CarriedValues:
    """The chosen values as another model takes them."""

    values: Mapping[str, Any]
    """Values by name, all legal."""
    changes: tuple[CarryChange, ...] = ()
    """What is left out or adjusted."""


def describe_changes(facts: Mapping[str, Any]) -> list[str]:
    """Return the changes among a job's facts in words; what has another form is left out."""
    found = facts.get(CHANGED_CHOICES_FACT)
    changes = found if isinstance(found, list) else []
    fields = {"name", "given", "used", "reason"}
    return [
        str(CarryChange(**one)) for one in changes if isinstance(one, dict) and one.keys() == fields
    ]


def carry_over(
    chosen: Mapping[str, Any], feature: Feature, before: ModelCard | None, after: ModelCard
) -> CarriedValues:
    """Return the values of one model's call that apply to another model.

    Args:
        chosen: What the user chose, by name: inputs and settings, without defaults.
        feature: Of both calls.
        before: The first model; None when it is unknown here.
        after: The other model.
    """
    schema = after.schema(feature)
    first = before.features.get(feature) if before is not None else None
    values: dict[str, Any] = {}
    changes: list[CarryChange] = []
    for name, value in chosen.items():
        reason = _why_not(name, first, before, schema, after)
        used = value if reason is None else None
        if reason is None and not schema[name].kind.is_media and name not in SIDES:
            problem = schema[name].problem(value)
            if problem is not None:
                reason, used = _explain(problem, after), _nearest_number(schema[name], problem)
        if reason is not None:
            shown = _count_pictures(value) if name == KEYFRAMES else value
            changes.append(CarryChange(name=name, given=shown, used=used, reason=reason))
        if used is not None:
            values[name] = used
    # In this order: the length decides where keyframes may be, and the rules see the values as they
    # have become.
    changes += _fit_terms(after, feature, values)
    changes += _fit_sides(schema, values, after)
    changes += _fit_keyframes(after, feature, values)
    changes += _keep_rules(schema, values, after)
    return CarriedValues(values=values, changes=tuple(changes))


def find_choices(recipe: Mapping[str, Any], feature: Feature, card: ModelCard | None) -> Choices:
    """Return what the user chose in a recorded call; the best guess for a record of old.

    Args:
        recipe: ``required_args``, ``optional_args`` and, unless it is old, ``chosen``.
        feature: Of the call.
        card: The recorded model; None when it is unknown here.
    """
    # Records of before 2.0 do not say what was chosen and what was filled in.
    if recipe.get("chosen") is not None:
        return Choices.from_dict(recipe["chosen"])
    return guess_choices({**recipe["required_args"], **recipe["optional_args"]}, feature, card)


def guess_choices(
    arguments: Mapping[str, Any], feature: Feature, card: ModelCard | None
) -> Choices:
    """Return the arguments that differ from what the model would have filled in by itself.

    A seed counts as drawn, and commits as those that the run has found.

    Args:
        arguments: All arguments of a recorded call.
        feature: Of the call.
        card: The recorded model; None when it is unknown here.
    """
    filled: dict[str, Any] = {}
    if card is not None and feature in card.features:
        schema = card.schema(feature)
        asked = {name: arguments.get(name) for name in (ACCELERATION_ARGUMENT,)}
        filled = {p.name: p.default for p in schema.parameters if p.default is not UNSET}
        filled |= apply_few_step_settings(card.turbo, asked)
        # What a call says itself is a choice, unless it is the default.
        filled[ACCELERATION_ARGUMENT] = _default(schema, ACCELERATION_ARGUMENT)
        aspect = _aspect_of(arguments.get(size_source(feature, arguments) or ""))
        if aspect is not None:
            filled |= size_from_picture(card, feature, {}, aspect)
    names = [
        name
        for name, value in arguments.items()
        # Both are in every record, whether they were asked for or found by the run.
        if name not in {"seed", "revisions"} and filled.get(name, UNSET) != value
    ]
    return Choices(names=tuple(names))


def _aspect_of(picture: object) -> float | None:
    """Return the shape of a picture's reference, which may come from an untrusted file."""
    sides = [picture.get(name) for name in SIDES] if isinstance(picture, Mapping) else []
    # Not isinstance: True is an int too.
    known = [side for side in sides if type(side) is int and 0 < side < MAX_SIDE]
    return known[0] / known[1] if len(known) == len(SIDES) else None


def _defaults(schema: Schema) -> dict[str, Any]:
    return {p.name: p.default for p in schema.parameters if p.default is not UNSET}


def _default(schema: Schema, name: str) -> object:
    return schema[name].default if name in schema else UNSET


def _why_not(
    name: str, first: Schema | None, before: ModelCard | None, schema: Schema, after: ModelCard
) -> str | None:
    """Return why a chosen value is not for another model, whatever it is; None if it may be."""
    if name in MODEL_SPECIFIC_ARGUMENTS:
        return "weights are for one model only"
    if before is not None and first is not None and name in first and _is_fixed(first[name]):
        return f"{before.name} makes nothing else, so it says nothing about {after.name}"
    if name in schema.objects:
        return "it was an object of another process"
    if name not in schema:
        return f"{after.name} has no such setting"
    return None


def _count_pictures(keyframes: object) -> str:
    count = len(keyframes) if isinstance(keyframes, list) else 0
    return "1 picture" if count == 1 else f"{count} pictures"


def _is_fixed(parameter: Parameter) -> bool:
    return parameter.minimum is not None and parameter.minimum == parameter.maximum


def _explain(problem: Problem, after: ModelCard) -> str:
    return f"{after.name}: {problem.message.partition(';')[0]}"


def _nearest_number(parameter: Parameter, problem: Problem) -> Any:
    """Return the nearest legal number; None for a text or an object, where no other was meant."""
    nearest = problem.nearest
    # A word that is near another one means something else; a number that is near is nearly the
    # same.
    if isinstance(nearest, bool) or not isinstance(nearest, int | float):
        return None
    return None if parameter.problem(nearest) is not None else nearest


def _fit_terms(after: ModelCard, feature: Feature, values: dict[str, Any]) -> list[CarryChange]:
    """Replace a length or size in the user's terms by the nearest one that the model makes."""
    changes = []
    for problem in resolve_asked_sizes(after, feature, values).problems:
        name, used = problem.field, problem.nearest
        if name not in values:
            continue
        reason = _explain(problem, after)
        changes.append(CarryChange(name=name, given=values[name], used=used, reason=reason))
        values[name] = used
    return changes


def _fit_sides(schema: Schema, values: dict[str, Any], after: ModelCard) -> list[CarryChange]:
    """Replace an illegal size by the nearest legal one of its shape, and return the changes."""
    given: dict[str, Any] = {name: values[name] for name in SIDES if name in values}
    problems = [p for name in given if (p := schema[name].problem(given[name])) is not None]
    if len(given) == len(SIDES):
        problems += [p for rule in schema.rules for p in rule.problems(given)]
    if not problems or not all(isinstance(side, int) and side > 0 for side in given.values()):
        return []
    if len(given) == len(SIDES):
        wide, tall = nearest_size(schema, given["width"], given["height"])
        values |= {"width": wide, "height": tall}
    else:
        values |= {name: int(schema[name].nearest(side)) for name, side in given.items()}
    reason = _explain(problems[0], after)
    used = "x".join(str(values[name]) for name in given)
    shown = "x".join(map(str, given.values()))
    return [CarryChange(name=", ".join(given), given=shown, used=used, reason=reason)]


def _fit_keyframes(after: ModelCard, feature: Feature, values: dict[str, Any]) -> list[CarryChange]:
    """Move keyframes to the nearest moments of the model, and return the changes."""
    schema = after.schema(feature)
    moments = schema.keyframes
    if moments is None or KEYFRAMES not in values:
        return []
    made = resolve_asked_sizes(after, feature, values).arguments
    fitted, changes = moments.fit({**_defaults(schema), **made})
    values.pop(KEYFRAMES)
    if fitted:
        values[KEYFRAMES] = fitted
    reason = f"{after.name} reads a picture at {moments.describe()}"
    return [
        CarryChange(name=KEYFRAMES, given=asked, used=used, reason=reason)
        for asked, used in changes
    ]


def _keep_rules(schema: Schema, values: dict[str, Any], after: ModelCard) -> list[CarryChange]:
    """Adjust values that break the model's rules together, and return the changes."""
    changes = []
    defaults = _defaults(schema)
    for rule in schema.rules:
        for problem in rule.problems({**defaults, **values}):
            fields = [name for name in problem.field.split(", ") if name in schema]
            near = problem.nearest
            nearest = near if isinstance(near, Mapping) else dict.fromkeys(fields, near)
            for name in fields:
                given, used = values.pop(name, None), nearest.get(name)
                if used is not None:
                    values[name] = used
                if given is not None and given != used:
                    reason = _explain(problem, after)
                    changes.append(CarryChange(name=name, given=given, used=used, reason=reason))
    return changes
