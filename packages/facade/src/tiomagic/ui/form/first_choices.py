"""What the user first chose, and for which model: each model's form fits it anew.

A form shows what its model makes of a choice: 1:1 is 624 pixels wide on one model and 608 on the
next. The next form starts from the choice again, not from the 608, as long as nobody has changed
what the form shows of it. A choice that a model has no place for waits for one that has.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Self

from tiomagic.ui.form.arguments import collect_arguments
from tiomagic.ui.form.fields import fields_of
from tiomagic.ui.form.keyframe_rows import is_finished
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.asked_sizes import resolve_asked_sizes
from tiomagic_domain.requests.carrying import (
    MODEL_SPECIFIC_ARGUMENTS,
    CarryChange,
    carry_over,
)
from tiomagic_domain.schema.keyframes import KEYFRAMES
from tiomagic_domain.schema.sizes import ASPECT, RESOLUTION, SECONDS

SHARED_PARAMETERS: Final = frozenset({"prompt", "negative_prompt", "seed", SECONDS})
"""Entries that mean the same for every model, as pictures and videos do. A form has seconds where
they are to add."""
SIDES: Final = ("width", "height")
MADE_OF: Final = {SECONDS: ("num_frames",), ASPECT: SIDES, RESOLUTION: SIDES}
"""The settings of a form that show a choice in the user's terms."""
MAX_FIRST_CHOICES: Final = 100
"""Most choices of a draft; a model has some thirty settings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FirstChoice:
    """Settings that the user chose together, and what a form shows of them."""

    model: str
    """The model they were chosen for."""
    values: Mapping[str, Any]
    """By name: settings, or a length or size in the user's terms, such as ``{"aspect": "1:1"}``."""
    shown: Mapping[str, Any] = field(default_factory=dict)
    """The settings of the form that show it; empty where the form's model has no place for it."""

    def to_dict(self) -> dict[str, Any]:
        """Return plain data, which the browser keeps with its draft."""
        return {"model": self.model, "values": dict(self.values), "shown": dict(self.shown)}

    @classmethod
    def list_from(cls, data: object) -> list[Self]:
        """Return the choices of a browser's draft; what has another form is left out."""
        found = data if isinstance(data, list) else []
        return [
            cls(model=one["model"], values=one["values"], shown=one["shown"])
            for one in found[:MAX_FIRST_CHOICES]
            if isinstance(one, dict)
            and isinstance(one.get("model"), str)
            and isinstance(one.get("values"), dict)
            and isinstance(one.get("shown"), dict)
        ]

    @property
    def settings(self) -> set[str]:
        """The names of the settings that a form may show it with."""
        return {name for term in self.values for name in MADE_OF.get(term, (term,))}


@dataclass(frozen=True, slots=True, kw_only=True)
class FittedChoices:
    """Choices as the form of a model takes them."""

    values: Mapping[str, Any]
    """Settings by name, all legal."""
    choices: tuple[FirstChoice, ...]
    """The same choices, with what this form shows of them."""
    changes: tuple[str, ...]
    """What is left out or adjusted, in the words of the domain."""


def find_first_choices(
    card: ModelCard, feature: Feature, entered: Mapping[str, Any], before: Iterable[FirstChoice]
) -> list[FirstChoice]:
    """Return what the user chose of a form's settings, each for the model it was chosen for.

    Args:
        card: The model of the form.
        feature: Of the form.
        entered: The chosen entries of the form, by name.
        before: What the form began with.
    """
    before = list(before)
    began = {name: value for choice in before for name, value in choice.shown.items()}
    fields = [f for f in fields_of(card.schema(feature), began) if not f.is_media]
    fields = [f for f in fields if f.name not in SHARED_PARAMETERS]
    chosen = collect_arguments(fields, entered)
    if KEYFRAMES in chosen:
        # A model can be asked about the others alone.
        chosen[KEYFRAMES] = [one for one in chosen[KEYFRAMES] if is_finished(one)]
    now = {f.name: f.default for f in fields} | chosen
    kept: list[FirstChoice] = []
    for choice in before:
        as_it_was = all(name in now and now[name] == v for name, v in choice.shown.items())
        claimed = chosen.keys() - choice.shown.keys()
        if as_it_was and not choice.settings & claimed:
            kept.append(choice)
    of_before = {name for choice in kept for name in choice.shown}
    new = {name: value for name, value in chosen.items() if name not in of_before and value != []}
    sides: dict[str, Any] = {name: new.pop(name) for name in SIDES if name in new}
    groups = [sides] if sides else []
    groups += [{name: value} for name, value in new.items()]
    return kept + [FirstChoice(model=card.name, values=one, shown=one) for one in groups]


def fit_choices(choices: Sequence[FirstChoice], card: ModelCard, feature: Feature) -> FittedChoices:
    """Return what the form of a model makes of choices.

    Args:
        choices: What the user chose.
        card: The model of the form.
        feature: Of the form.
    """
    schema, known = card.schema(feature), models()
    values: dict[str, Any] = {}
    changes: list[CarryChange] = []
    for model in dict.fromkeys(choice.model for choice in choices if choice.model in known):
        chosen = {
            name: value
            for choice in choices
            if choice.model == model
            for name, value in choice.values.items()
            if not (name in schema and schema[name].kind.is_media)
        }
        if model == card.name:
            values |= {name: value for name, value in chosen.items() if name in schema}
            continue
        carried = carry_over(chosen, feature, known[model], card)
        values |= carried.values
        changes += carried.changes
    sizes = resolve_asked_sizes(card, feature, values)
    made = {name: value for name, value in sizes.arguments.items() if name not in sizes.asked}
    if any(choice.model != card.name for choice in choices):
        # Of different models: together they may break a rule that each of them keeps.
        weights = {name: made.pop(name) for name in MODEL_SPECIFIC_ARGUMENTS if name in made}
        settled = carry_over(made, feature, None, card)
        made = {**settled.values, **weights}
        changes += settled.changes
    return FittedChoices(
        values=made,
        choices=tuple(
            FirstChoice(
                model=choice.model,
                values=choice.values,
                shown={name: made[name] for name in choice.settings if name in made},
            )
            for choice in choices
        ),
        changes=(*map(str, changes), *sizes.notes),
    )
