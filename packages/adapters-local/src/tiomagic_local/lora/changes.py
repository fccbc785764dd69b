"""Computes the change of one tensor of a model from its tensors in a LoRA file.

As LyCORIS and ComfyUI compute it: in fp32, when it is needed; until then only the small factors are
held.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

Tensors = Mapping[str, torch.Tensor]
"""Tensors of one layer of a file by their roles, see ``tensors``."""

NEEDED: Mapping[str, tuple[tuple[str, ...], ...]] = {
    "LoRA": (("down", "up"),),
    "LoHa": (("hada_w1_a", "hada_w1_b", "hada_w2_a", "hada_w2_b"),),
    "LoKr": tuple(
        (*first, *second)
        for first in (("lokr_w1",), ("lokr_w1_a", "lokr_w1_b"))
        for second in (("lokr_w2",), ("lokr_w2_a", "lokr_w2_b"))
    ),
    "difference": (("diff",), ("w_norm",)),
    "replacement": (("set_weight",),),
}
"""The required roles for a change of a weight, by its kind; one of several sets."""

BIASES = ("diff_b", "b_norm", "up_bias", "set_bias")
"""Roles that change a bias."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A change of one tensor."""

    name: str
    """Name of the module, or of a parameter outside of any module."""
    attribute: str
    """``weight`` or ``bias``; empty for a parameter without a module."""
    kind: str
    """A key of `NEEDED`, ``DoRA`` or ``bias``."""
    tensors: Tensors
    scale: float = 1.0
    """Alpha over rank, or 1."""
    rows: tuple[tuple[int, int], ...] = field(default=())
    """The rows of the file's layer for this tensor; none for all."""

    @torch.no_grad()
    def of(self, original: torch.Tensor) -> torch.Tensor:
        """Return the change, in the shape of the original and in fp32.

        Args:
            original: The tensor as the model has it, in fp32.

        Raises:
            RuntimeError, IndexError: when the tensors are not of fitting shapes.
        """
        if self.kind == "bias":
            return self._of_bias(original)
        whole = self._cut(_weight(self.kind, self.tensors, self.scale)).to(original.device)
        # The same number of values in another shape belongs to another layer.
        if self.attribute and whole.shape[0] != original.shape[0]:
            raise RuntimeError(f"{whole.shape[0]} rows in the place of {original.shape[0]}")
        if not self.attribute and whole.shape[-1] != original.shape[-1]:
            raise RuntimeError(f"{whole.shape[-1]} columns in the place of {original.shape[-1]}")
        change = whole.reshape(original.shape)
        if self.kind == "replacement":
            return change - original
        if "magnitude" in self.tensors:
            magnitude = self.tensors["magnitude"].to(original)
            return _lengthened(original, change, magnitude, self.rows) - original
        return change

    def _of_bias(self, original: torch.Tensor) -> torch.Tensor:
        total = torch.zeros_like(original)
        for role in BIASES:
            if role in self.tensors:
                given = self._cut(self.tensors[role].float()).to(original.device)
                given = given.reshape(original.shape)
                # Peft adds the second matrix' bias before the scale.
                total += given * self.scale if role == "up_bias" else given
                total -= original if role == "set_bias" else 0
        return total

    def _cut(self, whole: torch.Tensor) -> torch.Tensor:
        if not self.rows:
            return whole
        pieces = []
        for start, end in self.rows:
            if end > whole.shape[0]:
                raise RuntimeError(f"{whole.shape[0]} rows, and row {end - 1} is wanted")
            pieces.append(whole[start:end])
        return torch.cat(pieces)


def kind_of(tensors: Mapping[str, object]) -> str | None:
    """Return the kind of a weight's change; None if its tensors are incomplete."""
    for kind, ways in NEEDED.items():
        if any(all(role in tensors for role in way) for way in ways):
            return kind
    return None


def rank_of(tensors: Tensors) -> int | None:
    """Return the divisor of alpha (the rank); None where alpha has no meaning.

    A Kronecker product of whole matrices has no rank, and takes no alpha.
    """
    for role in ("down", "hada_w1_b", "lokr_w2_b", "lokr_w1_b"):
        if role in tensors:
            return int(tensors[role].shape[0])
    return None


def _weight(kind: str, tensors: Tensors, scale: float) -> torch.Tensor:
    """Return the unscaled change of a weight."""
    t = {role: tensor.float() for role, tensor in tensors.items()}
    match kind:
        case "LoRA" if "mid" in t:
            down, up = t["down"].flatten(1), t["up"].flatten(1)
            return scale * torch.einsum("or,rs...,si->oi...", up, t["mid"], down)
        case "LoRA":
            return scale * (t["up"].flatten(1) @ t["down"].flatten(1))
        case "LoHa":
            first, second = _hada(t, 1), _hada(t, 2)
            return scale * (first * second)
        case "LoKr":
            first = t["lokr_w1"] if "lokr_w1" in t else t["lokr_w1_a"] @ t["lokr_w1_b"]
            second = _second(t)
            while first.ndim < second.ndim:
                first = first.unsqueeze(-1)
            return scale * torch.kron(first, second)
        case "difference":
            return t["diff"] if "diff" in t else t["w_norm"]
        case _:
            return t["set_weight"]


def _hada(t: Tensors, number: int) -> torch.Tensor:
    a, b = t[f"hada_w{number}_a"], t[f"hada_w{number}_b"]
    if f"hada_t{number}" in t:
        return torch.einsum("ij...,jr,ip->pr...", t[f"hada_t{number}"], b, a)
    return a.flatten(1) @ b.flatten(1)


def _second(t: Tensors) -> torch.Tensor:
    if "lokr_w2" in t:
        return t["lokr_w2"]
    a, b = t["lokr_w2_a"], t["lokr_w2_b"]
    if "lokr_t2" in t:
        return torch.einsum("ij...,jr,ip->pr...", t["lokr_t2"], b, a)
    return a.flatten(1) @ b.flatten(1)


def _lengthened(
    original: torch.Tensor,
    change: torch.Tensor,
    magnitude: torch.Tensor,
    rows: tuple[tuple[int, int], ...],
) -> torch.Tensor:
    """Return the changed weight with rows, or columns, of the given lengths.

    Kohya's trainers and older LyCORIS give each column (an input) its length, as (1, in); peft and
    newer LyCORIS each row (an output), as (out,) or (out, 1).
    """
    changed = original + change
    flat = changed.flatten(1)
    eps = torch.finfo(original.dtype).eps
    by_column = magnitude.ndim > 1 and magnitude.shape[0] == 1 and changed.shape[0] != 1
    if by_column:
        if rows:
            raise RuntimeError("columns that go through several layers cannot be cut apart")
        by_input = changed.transpose(0, 1).flatten(1)
        length = by_input.norm(dim=1) + eps
        factor = magnitude.flatten() / length
        return torch.mul(changed, factor.view(1, -1, *([1] * (changed.ndim - 2))))
    if rows:
        magnitude = torch.cat([magnitude[start:end] for start, end in rows])
    factor = magnitude.flatten() / (flat.norm(dim=1) + eps)
    return torch.mul(changed, factor.view(-1, *([1] * (changed.ndim - 1))))
