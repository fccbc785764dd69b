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

DOTTED = re.compile(
    r"(?:base_model\.model|base_model|model|module|diffusion_model|transformer|unet|dit|pipe|net|vace)"
    r"\."
)
"""What stands before the names of layers, with a dot; several may, one after the other. No layer of
a model begins with one of them: ``transformer_blocks`` does not, and ``vace_blocks`` neither."""

JOINED = re.compile(
    r"(?:lora_unet|lora_transformer|lora_dit|lora|lycoris|(?:model_)?diffusion_model)_+"
)
"""The same with underscores, where trainers have joined all of a name."""

EXPERTS = re.compile(
    r"(?:(?P<first>transformer_1|high_noise_model|high_noise)"
    r"|(?P<second>transformer_2|low_noise_model|low_noise|dit2))[._]"
)
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


class LayerFinder:
    """Finds layers of a model.

    Args:
        part: A transformer, with no LoRA on it.
    """

    def __init__(self, part: torch.nn.Module) -> None:
        tensors = dict(part.named_parameters())
        self._slots: dict[str, tuple[Slot, ...]] = {}
        family = families.naming_of(type(part).__name__)
        known = list(dict.fromkeys(_layers(tensors)))
        for name in known:
            for alias in (name, family.authors(name)):
                self._slots.setdefault(flat(alias), (Slot(name),))
        heights = {
            name.removesuffix(".weight"): int(t.shape[0]) for name, t in tensors.items() if t.ndim
        }
        for alias, parts in family.fused_layers(known):
            self._slots.setdefault(flat(alias), tuple(_stacked(parts, heights)))
        for alias, name in family.half_swapped_layers(known):
            half = heights[name] // 2
            swapped = ((half, 2 * half), (0, half))
            self._slots[flat(alias)] = (Slot(name, swapped),)

    def find(self, name: str) -> Place:
        """Return where the name of a file's layer leads."""
        whole = flat(name)
        for component, pattern in ELSEWHERE.items():
            if pattern.match(whole):
                return Place(elsewhere=component)
        rest, expert = name, None
        while True:
            # Dots first: without them one model's layer may be called as another's.
            prefix = EXPERTS.match(rest) or DOTTED.match(rest)
            if prefix is None and flat(rest) in self._slots:
                return Place(self._slots[flat(rest)], expert)
            prefix = prefix or JOINED.match(rest)
            if prefix is None:
                return Place((), expert)
            if prefix.re is EXPERTS:
                expert = 1 if prefix["first"] else 2
            rest = rest[prefix.end() :]


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
