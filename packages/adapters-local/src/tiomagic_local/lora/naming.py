"""The layers of a model by all names that trainers give them.

A trainer names a layer as diffusers does or as the model's authors do, joins the parts with dots or
with underscores, and puts a prefix of its own before them. The layers of the model are what is
known, so every name that they may have is made from theirs, and none is taken apart.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiomagic_local.lora import families

if TYPE_CHECKING:
    import torch

PREFIXES = (
    "base_model_model_",
    "base_model_",
    "model_",
    "module_",
    "diffusion_model_",
    "lora_unet_",
    "lora_transformer_",
    "lora_",
    "lycoris_",
    "transformer_",
    "unet_",
    "dit_",
    "pipe_",
    "net_",
    "vace_",
)
"""What stands before the names of layers; several may, one after the other."""

EXPERTS = {
    "transformer_1_": 1,
    "high_noise_model_": 1,
    "high_noise_": 1,
    "transformer_2_": 2,
    "low_noise_model_": 2,
    "low_noise_": 2,
    "dit2_": 2,
}
"""Prefixes that say which of a model's two experts a layer belongs to."""

ELSEWHERE = {
    "text encoder": re.compile(
        r"(?:base_model_model_)?(?:lora_)?(?:te\d*|text_encoder\w*?|clip_l|t5xxl)_"
    ),
    "VAE": re.compile(r"(?:lora_)?(?:vae|first_stage_model)_"),
    "text connectors": re.compile(r"(?:text_embedding_projection|connectors)_"),
}
"""Prefixes of layers of other components."""

Rows = tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class Slot:
    """A layer of the model that a layer of a file is for."""

    name: str
    """Of the module, or of a parameter that no module of its own has."""
    rows: Rows = ()
    """Which rows of the file's layer are its own, from and to; none for all of them."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a name leads."""

    slots: tuple[Slot, ...] = ()
    """None when the model has no such layer."""
    expert: int | None = None
    """Of a model with two of them; None where the name does not say it."""
    elsewhere: str | None = None
    """The component that it belongs to, when that is no transformer."""


class Names:
    """Finds layers of a model.

    Args:
        part: A transformer, with no LoRA on it.
    """

    def __init__(self, part: torch.nn.Module) -> None:
        tensors = dict(part.named_parameters())
        self._slots: dict[str, tuple[Slot, ...]] = {}
        family = families.of(type(part).__name__)
        known = list(dict.fromkeys(_layers(tensors)))
        for name in known:
            for alias in (name, family.authors(name)):
                self._slots.setdefault(flat(alias), (Slot(name),))
        heights = {
            name.removesuffix(".weight"): int(t.shape[0]) for name, t in tensors.items() if t.ndim
        }
        for alias, parts in family.fused(known):
            self._slots.setdefault(flat(alias), tuple(_stacked(parts, heights)))
        for alias, name in family.turned(known):
            half = heights[name] // 2
            swapped = ((half, 2 * half), (0, half))
            self._slots[flat(alias)] = (Slot(name, swapped),)

    def find(self, name: str) -> Place:
        """Return where the name of a file's layer leads."""
        rest = flat(name)
        for component, pattern in ELSEWHERE.items():
            if pattern.match(rest):
                return Place(elsewhere=component)
        expert = None
        while True:
            if rest in self._slots:
                return Place(self._slots[rest], expert)
            mark = next((mark for mark in EXPERTS if rest.startswith(mark)), None)
            prefix = mark or next((p for p in PREFIXES if rest.startswith(p)), None)
            if prefix is None:
                return Place((), expert)
            expert = EXPERTS[mark] if mark is not None else expert
            rest = rest.removeprefix(prefix).lstrip("_")


def flat(name: str) -> str:
    """Return a name with underscores in the place of dots."""
    return name.replace(".", "_").lstrip("_")


def _layers(tensors: dict[str, torch.nn.Parameter]) -> Iterator[str]:
    for name in tensors:
        layer, _, last = name.rpartition(".")
        yield layer if last in ("weight", "bias") else name


def _stacked(parts: Sequence[str], heights: dict[str, int]) -> Iterator[Slot]:
    """Yield the layers that the authors have as one, one above the other."""
    start = 0
    for part in parts:
        end = start + heights[part]
        yield Slot(part, ((start, end),))
        start = end
