"""The arguments of a rerun: a recorded call with changes, or on another model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_domain.catalogue import find_feature, models
from tiomagic_domain.catalogue.acceleration import wants_few_steps
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.few_steps import ACCELERATION_ARGUMENT, FewStepWeights
from tiomagic_domain.features import Feature
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.schema import Schema

MODEL_SPECIFIC_ARGUMENTS = frozenset({"loras", "revisions"})
"""Arguments that select weights."""


def build_rerun_arguments(
    recipe: Mapping[str, Any],
    card: ModelCard,
    overrides: Mapping[str, object],
    *,
    catalogue: Mapping[str, ModelCard] | None = None,
) -> dict[str, object]:
    """Return the arguments of a call from a recipe.

    Args:
        recipe: ``feature``, ``model``, ``required_args`` and ``optional_args``.
        card: The model to run, which may differ from the recipe's.
        overrides: Arguments that replace those of the recipe; None removes one.
        catalogue: Models by name; None for all that are installed.
    """
    feature, before = find_feature(str(recipe["feature"])), str(recipe["model"])
    kept = {**recipe["required_args"], **recipe["optional_args"]}
    if card.name != before:
        known = models() if catalogue is None else catalogue
        kept = adapt_arguments(kept, feature, known.get(before), card)
    arguments = merge_rerun_arguments(card.turbo, card.schema(feature), kept, overrides)
    return {name: value for name, value in arguments.items() if value is not None}


def merge_rerun_arguments(
    turbo: FewStepWeights | None,
    schema: Schema,
    kept: Mapping[str, object],
    overrides: Mapping[str, object],
) -> dict[str, object]:
    """Return the arguments of a call that repeats another with changes.

    A record has every setting. If the change turns few-step weights on or off, settings that were
    not chosen are dropped: fifty steps would be as wrong with such weights as four without.

    Args:
        turbo: The model's few-step weights; None without them.
        schema: The parameters of the call.
        kept: Arguments of the recorded call.
        overrides: The changes.
    """
    after = {**kept, **overrides}
    was, will = (
        wants_few_steps(kept.get(ACCELERATION_ARGUMENT)),
        wants_few_steps(after.get(ACCELERATION_ARGUMENT)),
    )
    if turbo is None or was == will:
        return after
    unchosen = turbo.settings if was else {name: schema[name].default for name in turbo.settings}
    dropped = {
        name
        for name, value in unchosen.items()
        if name not in overrides and kept.get(name) == value
    }
    return {name: value for name, value in after.items() if name not in dropped}


def adapt_arguments(
    kept: Mapping[str, Any], feature: Feature, before: ModelCard | None, after: ModelCard
) -> dict[str, Any]:
    """Return the arguments of a record that apply to another model.

    These are the inputs, the seed, and chosen settings that the other model has. Not the first
    model's defaults, which a record also has, nor weights, which fit only one model.

    Args:
        kept: Arguments of the record.
        feature: Of both.
        before: The record's model; None when unknown here.
        after: The other model.
    """
    schema = after.schema(feature)
    defaults = {}
    if before is not None and feature in before.features:
        defaults = {p.name: p.default for p in before.schema(feature).parameters}
    return {
        name: value
        for name, value in kept.items()
        if name in schema
        and name not in MODEL_SPECIFIC_ARGUMENTS
        and (schema[name].required or name == "seed" or defaults.get(name, UNSET) != value)
        and schema[name].problem(value) is None
    }
