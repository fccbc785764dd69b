"""Finds layers of a model by any of the names that trainers use.

A trainer names a layer as diffusers does or as the model's authors do, joins the parts with dots or
with underscores, and puts a prefix of its own before them. All possible names are generated from
the model's own, so no name of a file has to be parsed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tiomagic_local.lora import families
from tiomagic_local.quantized.layers import NUMBERS

if TYPE_CHECKING:
    import torch

DOTTED = re.compile(
    r"(?:base_model\.model|base_model|model|module|diffusion_model|transformer|unet|dit|pipe|net|vace)"
    r"\."
)
"""Prefixes of layer names, with a dot; several may follow each other. No layer of a model begins
with one of them, not even ``transformer_blocks`` or ``vace_blocks``."""

JOINED = re.compile(
    r"(?:lora_unet|lora_transformer|lora_dit|lora|lycoris|(?:model_)?diffusion_model)_+"
)
"""The same with underscores, for trainers that join the whole name."""

EXPERTS = re.compile(
    r"(?:(?P<first>transformer_1|high_noise_model|high_noise)"
    r"|(?P<second>transformer_2|low_noise_model|low_noise|dit2))[._]"
)
"""Prefixes that name one of a model's two experts."""

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
    """The layer of the model for a layer of a file."""

    name: str
    """Of the module, or of a parameter that no module of its own has."""
    rows: Rows = ()
    """Its rows within the file's layer, from and to; none for all."""


@dataclass(frozen=True, slots=True)
class Place:
    """The result of a look-up."""

    slots: tuple[Slot, ...] = ()
    """None when the model has no such layer."""
    expert: int | None = None
    """The expert, for a model with two; None if the name does not say."""
    elsewhere: str | None = None
    """The component that it belongs to, if not a transformer."""


class LayerFinder:
    """Finds layers of a model.

    Args:
        part: A transformer without LoRAs.
    """

    def __init__(self, part: torch.nn.Module) -> None:
        tensors = {_full_name(name): tensor for name, tensor in part.named_parameters()}
        self._slots: dict[str, tuple[Slot, ...]] = {}
        family = families.naming_of(type(part).__name__)
        known = list(dict.fromkeys(_layers(tensors)))
        for name in known:
            for alias in family.spellings(name):
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
        """Look up the name of a file's layer."""
        whole = flat(name)
        for component, pattern in ELSEWHERE.items():
            if pattern.match(whole):
                return Place(elsewhere=component)
        rest, expert = name, None
        while True:
            # Dots first: without them two layers may have the same name.
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
    """Return a name with underscores instead of dots."""
    return name.replace(".", "_").lstrip("_")


def _full_name(name: str) -> str:
    """Return the name of a weight that is kept as it is stored, as of the full one."""
    layer, _, last = name.rpartition(".")
    return f"{layer}.weight" if last == NUMBERS else name


def _layers(tensors: dict[str, torch.nn.Parameter]) -> Iterator[str]:
    for name in tensors:
        layer, _, last = name.rpartition(".")
        yield layer if last in ("weight", "bias") else name


def _stacked(parts: Sequence[str], heights: dict[str, int]) -> Iterator[Slot]:
    """Yield the parts of a fused layer, with their rows."""
    start = 0
    for part in parts:
        end = start + heights[part]
        yield Slot(part, ((start, end),))
        start = end
