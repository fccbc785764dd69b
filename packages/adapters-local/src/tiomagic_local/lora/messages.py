"""Warnings about LoRA files and transformer files that are used only in part. Loads no torch."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from tiomagic_domain.catalogue.lora import Lora

FIELDS = frozenset(field.name for field in fields(Lora))
"""Fields of an entry of the argument ``loras``; a record's other fields describe the run."""


def lora_of(fact: Mapping[str, Any]) -> Lora:
    """Return the LoRA of a record."""
    return Lora(**{name: value for name, value in fact.items() if name in FIELDS})


def describe_partial_use(facts: Mapping[str, Any], acceleration: Mapping[str, Any]) -> list[str]:
    """Return a warning for each file that is used only in part.

    Args:
        facts: Of a run.
        acceleration: The acceleration facts of the same run.
    """
    worn = [
        *facts.get("weights", {}).get("loras", ()),
        *acceleration.get("few_steps", ()),
        *facts.get("loras", ()),
    ]
    said = [_said(fact) for fact in worn if fact.get("left_out")]
    for component in ("transformer", "transformer_2"):
        file = facts.get("weights", {}).get(component, {})
        left = sorted(file.get("unused", {}).items())
        if left:
            listed = ", ".join(f"{count} of the {part}" for part, count in left)
            said.append(f"{file['file']}: tensors that are not used: {listed}")
    return said


def _said(fact: Mapping[str, Any]) -> str:
    left = fact["left_out"]
    total = fact["layers"] + left["layers"]
    why = ", ".join(f"{count} {reason}" for reason, count in left["why"].items())
    such = f", such as {left['such_as'][0]!r}" if left["such_as"] else ""
    return (
        f"{lora_of(fact).label}: {left['layers']} of its {total} layers are not used ({why}{such})"
    )
