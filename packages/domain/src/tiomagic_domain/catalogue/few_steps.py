"""Few steps: what a model can be given so that it needs a tenth of the work.

A distilled LoRA teaches a model to make in a handful of steps, and without guidance, what took it
fifty with. The video is another one, and the LoRA wants the settings that it was made for: they are
the defaults of a call that asks for it, and what a call says itself stands.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue.acceleration import wants_few_steps
from tiomagic_domain.catalogue.lora import Lora
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.schema import Schema

if TYPE_CHECKING:
    from tiomagic_domain.catalogue.card import ModelCard
    from tiomagic_domain.features import Feature

ARGUMENT = "acceleration"
FOR_ONE_MODEL = frozenset({"loras", "revisions"})
"""Arguments that say which weights are used."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Turbo:
    """The few-step weights of a model."""

    loras: tuple[Lora, ...]
    """On the model for the time of a call, before those of the call itself."""
    settings: Mapping[str, Any]
    """What they were made for: steps, guidance, shift; by the names of the schema."""
    euler: bool = True
    """True where each step is a plain one, as in the distillation; False for the model's own."""
    source: str
    """Where files and settings come from."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for people and machines."""
        files = [f"{lora.source}:{lora.weight_name}" for lora in self.loras]
        return {"loras": files, "settings": dict(self.settings), "source": self.source}


def completed(turbo: Turbo | None, arguments: Mapping[str, object]) -> Mapping[str, object]:
    """Return the arguments of a call, with the settings of its few-step weights if it wants them.

    Args:
        turbo: Those of the model; None for a model that has none.
        arguments: As the caller gave them; what they say stands.
    """
    if turbo is None or not wants_few_steps(arguments.get(ARGUMENT)):
        return arguments
    return {**turbo.settings, **arguments}


def carried(
    turbo: Turbo | None,
    schema: Schema,
    kept: Mapping[str, object],
    overrides: Mapping[str, object],
) -> dict[str, object]:
    """Return the arguments of a call that repeats another one with changes.

    A record has every setting. Where the change is to few steps or away from them, those that
    nobody chose are not kept: fifty steps would be as wrong with such weights as four without.

    Args:
        turbo: The few-step weights of the model; None for none.
        schema: The parameters of the call.
        kept: Arguments of the first call.
        overrides: What is to be changed.
    """
    after = {**kept, **overrides}
    was, will = wants_few_steps(kept.get(ARGUMENT)), wants_few_steps(after.get(ARGUMENT))
    if turbo is None or was == will:
        return after
    unchosen = turbo.settings if was else {name: schema[name].default for name in turbo.settings}
    dropped = {
        name
        for name, value in unchosen.items()
        if name not in overrides and kept.get(name) == value
    }
    return {name: value for name, value in after.items() if name not in dropped}


def for_another_model(
    kept: Mapping[str, Any], feature: Feature, before: ModelCard | None, after: ModelCard
) -> dict[str, Any]:
    """Return what of a record's arguments is for another model.

    The inputs and the seed are; so is what was chosen, where the other takes it. A record has every
    default as well, which is the first model's and nobody's choice, and weights fit one model only.

    Args:
        kept: Arguments of the record.
        feature: What both make.
        before: The record's model; None when it is not known here.
        after: The other one.
    """
    schema = after.schema(feature)
    defaults = {}
    if before is not None and feature in before.features:
        defaults = {p.name: p.default for p in before.schema(feature).parameters}
    return {
        name: value
        for name, value in kept.items()
        if name in schema
        and name not in FOR_ONE_MODEL
        and (schema[name].required or name == "seed" or defaults.get(name, UNSET) != value)
        and schema[name].problem(value) is None
    }
