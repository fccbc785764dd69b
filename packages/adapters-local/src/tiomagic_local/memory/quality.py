"""Chooses the memory plan together with the formats of the weights. Pure, without torch.

A format that the call names is taken. Without one, full weights are taken wherever they fit the
device whole or component by component. Where they would come a few layers at a time, or not fit at
all, the most exact format that ``quality`` allows and that fits better is taken instead.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.weights.formats import GROUPS, QUALITIES, SHARES, read_quantization
from tiomagic_local.footprint.architectures import find_component_name
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.demand import Demand, demand_of
from tiomagic_local.memory.plans import BY_LAYERS

FULL = (("kandinsky5-2b", 0.25), ("umt5", 0.0), ("t5", 0.0), ("gemma", 0.08), ("qwen", 0.12))
"""The part of a component's weights that stays full, by the start of its name in
``architectures.json``; counted there (tests)."""
FULL_OF_TRANSFORMERS, FULL_OF_ENCODERS = 0.02, 0.08
WITH_GGUF = frozenset({"q5_1", "q4_1"})
"""Formats that need the library of GGUF."""

Choose = Callable[[Demand], MemoryChoice]


def demand_in(
    card: ModelCard,
    settings: Mapping[str, Any],
    formats: Mapping[str, str],
    files: Mapping[str, float],
) -> Demand:
    """Return what a generation needs with some groups of components in a format.

    Args:
        card: The model.
        settings: Of the generation.
        formats: The format of each group.
        files: GiB of components that come from a file, which keep its format.
    """
    full = demand_of(card, settings).model.weights
    sizes = {
        name: gib * share_of(card.name, name, format_)
        for group, format_ in formats.items()
        for name, gib in full.items()
        if name.startswith(group)
    }
    return demand_of(card, settings, sizes={**sizes, **files})


def share_of(model: str, component: str, format_: str) -> float:
    """Return the part of its 16-bit weights that a component takes in a format."""
    known = find_component_name(model, component) or ""
    usual = FULL_OF_TRANSFORMERS if component.startswith("transformer") else FULL_OF_ENCODERS
    full = next((part for start, part in FULL if known.startswith(start)), usual)
    return full + (1 - full) * SHARES[format_]


def list_allowed(settings: Mapping[str, Any], device: str, free_gib: float | None) -> list[str]:
    """Return the formats that a run may take unasked, the most exact first.

    Empty if the free memory is unknown or is the machine's own, and with a plan of the user's.
    """
    kind = device.partition(":")[0]
    if free_gib is None or kind in {"cpu", "mps"} or settings.get("memory", "auto") != "auto":
        return []
    has_gguf = importlib.util.find_spec("gguf") is not None
    quality = str(settings.get("quality") or "exact")
    return [one for one in QUALITIES[quality] if has_gguf or one not in WITH_GGUF]


def choose_weights_and_plan(
    card: ModelCard,
    settings: Mapping[str, Any],
    choose: Choose,
    *,
    files: Mapping[str, float],
    allowed: Sequence[str],
) -> MemoryChoice:
    """Return the plan and the formats of a run.

    Args:
        card: The model.
        settings: Of the generation.
        choose: Chooses the plan for a demand.
        files: GiB of components that come from a file.
        allowed: The formats that may be taken unasked, the most exact first.
    """
    asked = read_quantization(settings.get("quantization"))
    first = _choose(card, settings, choose, asked, files)
    if asked or not allowed or _is_whole(first):
        return first
    groups = [group for group in GROUPS if not any(name.startswith(group) for name in files)]
    others = [
        _choose(card, settings, choose, dict.fromkeys(groups, format_), files)
        for format_ in allowed
    ]
    better = next((one for one in others if _is_whole(one)), None)
    if better is None and first.estimated_gib is None:
        better = next((one for one in others if one.estimated_gib is not None), None)
    if better is None:
        return first
    (format_,) = set(better.quantization.values())
    reason = f"in {format_} {better.reason}; in full {first.reason}"
    return replace(better, reason=reason)


def _choose(
    card: ModelCard,
    settings: Mapping[str, Any],
    choose: Choose,
    formats: Mapping[str, str],
    files: Mapping[str, float],
) -> MemoryChoice:
    choice = choose(demand_in(card, settings, formats, files))
    return replace(choice, quantization=dict(formats))


def _is_whole(choice: MemoryChoice) -> bool:
    """Say whether whole components fit."""
    return choice.plan not in BY_LAYERS and choice.estimated_gib is not None
