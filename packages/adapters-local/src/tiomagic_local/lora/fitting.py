"""Matches the layers of a LoRA file with a model: which are applied, which are left out and why.

Names and shapes are compared before the model is changed, so that each layer of a file is either
applied or reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch

from tiomagic_local.lora.changes import BIASES, Change, kind_of, rank_of
from tiomagic_local.lora.naming import LayerFinder, Place, Slot
from tiomagic_local.lora.scaling import Scaling
from tiomagic_local.lora.tensors import Contents
from tiomagic_local.quantized.layers import StoredLayer

MIN_FITTING_SHARE = 0.5
"""The share of a file's layers that must fit. LoRAs of related models fit mostly: one of a picture
model on a text model loses a sixth of its layers (the two that attend to the picture), one that was
trained on VACE loses a sixth on the plain model. A file for other blocks fits in a few layers by
chance."""

NO_LAYER = "no such layer"
HALF = "a part of its matrices is missing"
NO_BIAS = "no bias here"
SHAPE = "another shape"
MAX_LAYERS_NAMED = 3
"""Most layers that a message names."""

Pair = tuple[torch.Tensor, torch.Tensor]


@dataclass(slots=True)
class Fit:
    """The changes of a file for one component."""

    pairs: dict[str, Pair] = field(default_factory=dict)
    """First and second matrix by linear layer; alpha is in the first."""
    changes: list[Change] = field(default_factory=list)
    """All other changes."""
    applied: int = 0
    """Number of layers in the file."""
    kinds: Counter[str] = field(default_factory=Counter)
    """Number of applied layers by kind."""
    left: dict[str, str] = field(default_factory=dict)
    """The reason for each layer of the file that is not applied."""
    elsewhere: Counter[str] = field(default_factory=Counter)
    """Layers for other components, which are not changed."""

    @property
    def share(self) -> float:
        """The share of the file's layers that is applied; 0 for a file without layers."""
        total = self.applied + len(self.left)
        return self.applied / total if total else 0.0

    def facts(self) -> dict[str, Any]:
        """Return its facts for a job's record."""
        facts: dict[str, Any] = {"layers": self.applied}
        if set(self.kinds) - {"LoRA"}:
            facts["kinds"] = dict(self.kinds)
        if self.left or self.elsewhere:
            # Counted by the kind of reason: with the shapes of each layer every reason would be its
            # own.
            why = Counter(reason.partition(":")[0] for reason in self.left.values())
            why.update({f"of the {where}": count for where, count in self.elsewhere.items()})
            facts["left_out"] = {
                "layers": len(self.left) + sum(self.elsewhere.values()),
                "why": dict(why),
                "such_as": list(self.left)[:MAX_LAYERS_NAMED],
            }
        return facts

    def refusal(self) -> str | None:
        """Return why the file is refused; None when it is applied."""
        total = self.applied + len(self.left)
        if self.share >= MIN_FITTING_SHARE:
            return None
        # Layers of the right name and another shape say the most: the file is for another size of
        # this model, not for another architecture.
        other = [name for name, reason in self.left.items() if reason.startswith(SHAPE)]
        if not self.applied and not other:
            such = f", such as {next(iter(self.left))!r}" if self.left else ""
            return f"fits no layer of this model: it was made for another architecture{such}"
        some = "none" if not self.applied else f"only {self.applied}"
        shown = other or list(self.left)
        said = ", ".join(f"{name!r} ({self.left[name]})" for name in shown[:MAX_LAYERS_NAMED])
        return f"does not fit this model: {some} of its {total} layers can be applied; not: {said}"


def merge_fits(fits: Sequence[Fit]) -> Fit:
    """Return the merged facts of a file for several components, for the record."""
    whole = Fit()
    for found in fits:
        whole.applied += found.applied
        whole.kinds.update(found.kinds)
        whole.left.update(found.left)
        whole.elsewhere.update(found.elsewhere)
    return whole


def fit_lora(
    contents: Contents,
    tensors: Mapping[str, torch.Tensor],
    part: torch.nn.Module,
    names: LayerFinder,
    *,
    scaling: Scaling,
    layers: Sequence[str],
) -> Fit:
    """Return the changes of a file for a component.

    Args:
        contents: Of the file.
        tensors: All of the file.
        part: The component; it may have LoRAs already.
        names: Of its layers.
        scaling: The file's strength from its header or configuration.
        layers: The file's layers for this component.
    """
    found = Fit()
    for layer in layers:
        given = {role: tensors[name] for role, name in contents.layers[layer].items()}
        place = names.find(layer)
        if place.elsewhere is not None:
            found.elsewhere[place.elsewhere] += 1
            continue
        reason = _fit_layer(found, layer, given, place, part, scaling)
        if reason is None:
            found.applied += 1
        else:
            found.left[layer] = reason
    return found


def _fit_layer(
    found: Fit,
    layer: str,
    given: Mapping[str, torch.Tensor],
    place: Place,
    part: torch.nn.Module,
    scaling: Scaling,
) -> str | None:
    """Add the changes of one layer; return the reason if there are none, or None."""
    if not place.slots:
        return NO_LAYER
    kind = kind_of(given)
    biased = any(role in given for role in BIASES)
    if kind is None and not biased:
        return HALF
    scale = scaling.of(layer, given, rank_of(given))
    # A layer of the file can be several here: authors fuse query, key and value, diffusers does
    # not. Each slot then takes its rows of the update.
    changes = [c for slot in place.slots for c in _changes(slot, given, kind, scale, part)]
    if biased and not any(change.kind == "bias" for change in changes):
        if not changes:
            return NO_BIAS
        # The weights are applied all the same: a bias that the model does not have is a small part
        # of a layer.
        found.left[f"{layer}.bias"] = NO_BIAS
    for change in changes:
        reason = _misfit(change, part)
        if reason is not None:
            return reason
    # Only when all of them fit: half of a fused layer would be worse than none.
    for change in changes:
        _add(found, change, part)
    found.kinds[_word(changes[0], part)] += 1
    return None


def _changes(
    slot: Slot,
    given: Mapping[str, torch.Tensor],
    kind: str | None,
    scale: float,
    part: torch.nn.Module,
) -> Iterator[Change]:
    owner = bare(part, slot.name)
    # Tables such as the modulation of a block are parameters themselves, without a layer around.
    attribute = "" if isinstance(owner, torch.nn.Parameter) else "weight"
    if kind is not None:
        yield Change(
            name=slot.name,
            attribute=attribute,
            kind=kind,
            tensors={r: t for r, t in given.items() if r not in BIASES and r != "alpha"},
            scale=scale,
            rows=slot.rows,
        )
    biases = {role: given[role] for role in BIASES if role in given}
    if biases and getattr(owner, "bias", None) is not None:
        yield Change(
            name=slot.name,
            attribute="bias",
            kind="bias",
            tensors=biases,
            scale=scale,
            rows=slot.rows,
        )


def _misfit(change: Change, part: torch.nn.Module) -> str | None:
    """Return why a change does not fit its tensor; None when it does. Computes no values."""
    here = shape_of(part, change)
    # On the meta device the change is computed without values: shapes that do not fit raise at
    # once, and a fitting one costs nothing.
    meta = {role: tensor.to("meta") for role, tensor in change.tensors.items()}
    tried = Change(
        name=change.name,
        attribute=change.attribute,
        kind=change.kind,
        tensors=meta,
        rows=change.rows,
    )
    try:
        tried.of(torch.empty(here, device="meta"))
    except (RuntimeError, IndexError):
        shapes = ", ".join(f"{role} {tuple(t.shape)}" for role, t in change.tensors.items())
        return f"{SHAPE}: {shapes} in the file, {tuple(here)} in the model"
    return None


def _add(found: Fit, change: Change, part: torch.nn.Module) -> None:
    """Add a change: as a pair of matrices for a linear layer, else as a change of a tensor."""
    module = bare(part, change.name)
    plain = change.kind == "LoRA" and change.tensors.keys() == {"down", "up"}
    # Only such a pair fits peft's LoRA layer, which adds it beside the weight and is gone without
    # a trace; anything else is added to the tensor itself.
    flat = plain and all(tensor.ndim == 2 for tensor in change.tensors.values())
    if not flat or not isinstance(module, torch.nn.Linear) or change.name in found.pairs:
        found.changes.append(change)
        return
    down, up = change.tensors["down"], change.tensors["up"]
    if change.rows:
        up = torch.cat([up[start:end] for start, end in change.rows])
    type_ = module.dtype if isinstance(module, StoredLayer) else module.weight.dtype
    # Multiplied in fp32 and rounded once, whatever type the model has.
    found.pairs[change.name] = ((down.float() * change.scale).to(type_), up.to(type_))


def _word(change: Change, part: torch.nn.Module) -> str:
    if "magnitude" in change.tensors:
        return "DoRA"
    if change.kind in ("LoRA", "LoHa", "LoKr", "bias"):
        return change.kind
    if not change.attribute:
        return "modulation"
    return "norm" if len(shape_of(part, change)) == 1 else change.kind


def bare(part: torch.nn.Module, name: str) -> Any:
    """Return a module or a parameter, without a LoRA layer around it."""
    owner: Any = part
    for step in re.split(r"\.", name):
        owner = getattr(owner, step)
        # peft puts its own layer in the place of one that has a LoRA already.
        get = getattr(owner, "get_base_layer", None)
        owner = owner if get is None else get()
    return owner


def stored_layer_of(part: torch.nn.Module, change: Change) -> StoredLayer | None:
    """Return the layer whose weight a change modifies, if it keeps it as it is stored."""
    owner = bare(part, change.name) if change.attribute == "weight" else None
    return owner if isinstance(owner, StoredLayer) else None


def shape_of(part: torch.nn.Module, change: Change) -> tuple[int, ...]:
    """Return the shape of the tensor that a change modifies."""
    layer = stored_layer_of(part, change)
    return tuple(tensor_of(part, change).shape) if layer is None else layer.shape


def tensor_of(part: torch.nn.Module, change: Change) -> torch.nn.Parameter:
    """Return the parameter that a change modifies."""
    owner = bare(part, change.name)
    tensor = getattr(owner, change.attribute) if change.attribute else owner
    assert isinstance(tensor, torch.nn.Parameter), "changes are of parameters"
    return tensor
