"""The arguments of a rerun: a recorded call with changes, or on another model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from tiomagic_domain.catalogue import find_feature, models
from tiomagic_domain.catalogue.acceleration import wants_few_steps
from tiomagic_domain.catalogue.card import ModelCard
from tiomagic_domain.catalogue.few_steps import ACCELERATION_ARGUMENT, FewStepWeights
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.requests.carrying import SIDES, CarryChange, carry_over, find_choices
from tiomagic_domain.schema.sizes import ASPECT, RESOLUTION, SECONDS, SIZE_NAMES


@dataclass(frozen=True, slots=True, kw_only=True)
class RerunCall:
    """The call that repeats a recorded one."""

    arguments: Mapping[str, Any]
    """Inputs and settings by name."""
    chosen: Choices
    """What the user chose of them, in the first call or now."""
    changes: tuple[CarryChange, ...] = ()
    """Choices that another model does not take as they are; empty on the same model."""


def build_rerun_call(
    recipe: Mapping[str, Any],
    card: ModelCard,
    overrides: Mapping[str, object],
    *,
    catalogue: Mapping[str, ModelCard] | None = None,
) -> RerunCall:
    """Return the call that repeats a recipe.

    On the same model it has every recorded setting, so that it gives the same video. On another one
    it has the inputs, the seed and what the user chose; the rest is left to that model's defaults.

    Args:
        recipe: ``feature``, ``model``, ``required_args`` and ``optional_args``; ``chosen`` if it is
            not of an older version.
        card: The model to run, which may differ from the recipe's.
        overrides: Arguments that replace those of the recipe; None removes one.
        catalogue: Models by name; None for all that are installed.
    """
    feature, name = find_feature(str(recipe["feature"])), str(recipe["model"])
    known = models() if catalogue is None else catalogue
    before = card if card.name == name else known.get(name)
    kept = {**recipe["required_args"], **recipe["optional_args"]}
    chosen = _without_replaced_sizes(find_choices(recipe, feature, before), overrides)
    changes: tuple[CarryChange, ...] = ()
    if card.name == name:
        kept = drop_other_settings(card.turbo, kept, chosen, overrides)
        kept = _with_other_sizes(kept, chosen, overrides)
    else:
        always = {k: kept[k] for k in (*recipe["required_args"], "seed") if k in kept}
        wanted = {k: v for k, v in {**always, **chosen.values(kept)}.items() if k not in overrides}
        carried = carry_over(wanted, feature, before, card)
        kept, changes = dict(carried.values), carried.changes
        chosen = replace(chosen, sizes={k: kept[k] for k in chosen.sizes if k in kept})
    arguments = {k: v for k, v in {**kept, **overrides}.items() if v is not None}
    names = dict.fromkeys([*chosen.names, *overrides])
    return RerunCall(
        arguments=arguments,
        chosen=Choices(
            names=tuple(k for k in names if k in arguments and k not in SIZE_NAMES),
            sizes={**chosen.sizes, **{k: v for k, v in arguments.items() if k in SIZE_NAMES}},
        ),
        changes=changes,
    )


def _without_replaced_sizes(chosen: Choices, overrides: Mapping[str, object]) -> Choices:
    """Return the choices without those that an override says in another way, or takes away."""
    given, gone = set(overrides), set(overrides)
    if given & {SECONDS, "num_frames"}:
        gone |= {SECONDS, "num_frames"}
    if given & {*SIDES}:
        gone |= {ASPECT, RESOLUTION}
    if given & {ASPECT, RESOLUTION}:
        gone |= {*SIDES}
    # A resolution such as 1280x720 is a shape as well.
    if "x" in str(overrides.get(RESOLUTION, "")):
        gone.add(ASPECT)
    if ASPECT in given and "x" in str(chosen.sizes.get(RESOLUTION, "")):
        gone.add(RESOLUTION)
    return Choices(
        names=tuple(name for name in chosen.names if name not in gone),
        sizes={name: value for name, value in chosen.sizes.items() if name not in gone},
    )


def _with_other_sizes(
    kept: Mapping[str, Any], chosen: Choices, overrides: Mapping[str, object]
) -> dict[str, Any]:
    """Return a recorded call without the frames or pixels that an override decides anew."""
    given, values = set(overrides), dict(kept)
    if SECONDS in given:
        values.pop("num_frames", None)
    elif SECONDS in chosen.sizes and "fps" in given:
        # So many seconds were asked for, and they take another number of frames now.
        values.pop("num_frames", None)
        values[SECONDS] = chosen.sizes[SECONDS]
    if given & {ASPECT, RESOLUTION}:
        values = {name: value for name, value in values.items() if name not in SIDES}
        values |= {k: v for k, v in chosen.sizes.items() if k in {ASPECT, RESOLUTION} - given}
    return values


def drop_other_settings(
    turbo: FewStepWeights | None,
    kept: Mapping[str, Any],
    chosen: Choices,
    overrides: Mapping[str, object],
) -> dict[str, Any]:
    """Return a recorded call without the settings that a change of few-step weights takes away.

    A record has every setting. If the change turns few-step weights on or off, settings that were
    not chosen are dropped: fifty steps would be as wrong with such weights as four without.

    Args:
        turbo: The model's few-step weights; None without them.
        kept: Arguments of the recorded call.
        chosen: What the user chose of them.
        overrides: The changes.
    """
    change = overrides.get(ACCELERATION_ARGUMENT, kept.get(ACCELERATION_ARGUMENT))
    if turbo is None or wants_few_steps(kept.get(ACCELERATION_ARGUMENT)) == wants_few_steps(change):
        return dict(kept)
    dropped = set(turbo.settings) - set(chosen.names)
    return {name: value for name, value in kept.items() if name not in dropped}
