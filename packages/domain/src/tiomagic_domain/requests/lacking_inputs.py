"""Inputs that a call has and its model does not take, or not alone: what takes them instead."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.catalogue.pose_parameters import CONTROL_ARGUMENT
from tiomagic_domain.errors import Problem
from tiomagic_domain.features import PROMPT, Feature
from tiomagic_domain.schema.keyframes import FIRST, LAST
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import closest, list_names, shorten_repr


def explain_lacking_inputs(
    card: ModelCard, feature: Feature, arguments: Mapping[str, object]
) -> list[Problem]:
    """Return a problem for each input that other models take and this one does not.

    Args:
        card: The model of the call.
        feature: What is asked for.
        arguments: Of the call. Names that no model has are left to the check of the schema.
    """
    schema = card.schema(feature)
    unknown = [name for name in arguments if name not in schema and name not in schema.objects]
    if not unknown:
        return []
    takers = _find_takers(card, feature)
    problems = []
    for name in unknown:
        meant = _find_meant(name, schema, takers)
        if meant is None:
            continue
        message = f"{_name_what_lacks_it(card, feature, takers[meant])}; {takers[meant].text}"
        start = "is" if meant == name else f"{meant!r} is"
        given = shorten_repr(arguments[name], 40)
        problems.append(Problem(field=name, message=f"{start} {message}", given=given))
    return problems


def explain_lone_last_frame(
    card: ModelCard, feature: Feature, arguments: Mapping[str, object]
) -> list[Problem]:
    """Return the problem of a last picture without the first, where the model needs both.

    Args:
        card: The model of the call.
        feature: What is asked for.
        arguments: Of the call.
    """
    is_alone = arguments.get(LAST) is not None and arguments.get(FIRST) is None
    if feature is not Feature.INTERPOLATE or not is_alone or card.takes_last_alone:
        return []
    able = list_names(other.name for other in models().values() if other.takes_last_alone)
    message = f"is needed by {card.name}; models that take the last picture alone: {able}"
    return [Problem(field=FIRST, message=message, given="nothing")]


class _Takers:
    """The models of the same feature that take an input, else the features that do."""

    def __init__(self) -> None:
        self.models: list[str] = []
        self.features: list[Feature] = []

    @property
    def text(self) -> str:
        if self.models:
            return f"models that take it: {list_names(self.models)}"
        return f"features that take it: {', '.join(dict.fromkeys(self.features))}"


def _find_takers(card: ModelCard, feature: Feature) -> dict[str, _Takers]:
    takers: dict[str, _Takers] = {}
    for other in {**models(), card.name: card}.values():
        for able, schema in other.features.items():
            for name in _list_inputs(schema):
                found = takers.setdefault(name, _Takers())
                if able is feature:
                    found.models.append(other.name)
                else:
                    found.features.append(able)
    return takers


def _find_meant(name: str, schema: Schema, inputs: Collection[str]) -> str | None:
    """Return the input of other models that a name means; None for a slip of an own name."""
    if name in inputs:
        return name
    own = [parameter.name for parameter in (*schema.parameters, *schema.sizes)]
    return None if closest(name, own) else closest(name, inputs)


def _name_what_lacks_it(card: ModelCard, feature: Feature, takers: _Takers) -> str:
    subject = f"{feature.value} with {card.name}" if takers.models else feature.value
    inputs = _list_inputs(card.schema(feature))
    taken = list_names(inputs) if inputs else "words alone"
    return f"no input of {subject}, which takes {taken}"


def _list_inputs(schema: Schema) -> list[str]:
    return [p.name for p in schema.parameters if _is_input(p)]


def _is_input(parameter: Parameter) -> bool:
    if parameter.name == PROMPT.name:
        return False
    return parameter.kind.is_media or parameter.holds_media or parameter.name == CONTROL_ARGUMENT
