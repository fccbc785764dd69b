"""Linear layers and embeddings that keep their weight as it is stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import torch

from tiomagic_local.quantized.tensors import StoredTensor, read_stored

NUMBERS = "numbers"
"""The parameter of a layer that has its weight as it is stored."""


class WeightChange(Protocol):
    """A change of a weight, such as that of a LoRA."""

    def of(self, original: torch.Tensor) -> torch.Tensor:
        """Return the change of a weight in fp32, in its shape and in fp32."""
        ...


class StoredLayer(torch.nn.Module):
    """A layer whose weight is kept as it is stored, and read for each use.

    ``numbers`` is a parameter of whole numbers, and ``factor`` a buffer: no library takes one of
    them for the type that the model computes in.
    """

    numbers: torch.nn.Parameter
    factor: torch.Tensor | None
    kind: str
    shape: tuple[int, int]
    dtype: torch.dtype

    def _keep(self, stored: StoredTensor, dtype: torch.dtype) -> None:
        self.numbers = torch.nn.Parameter(stored.numbers, requires_grad=False)
        self.register_buffer("factor", stored.factor)
        self.kind, self.shape, self.dtype = stored.kind, stored.shape, dtype
        self.changes: Sequence[tuple[float, WeightChange]] = ()
        """Added to the weight when it is read, each times its scale."""

    @property
    def weight(self) -> torch.Tensor:
        """The weight, (rows, columns), in the type of the run; read anew each time."""
        values = read_stored(self.numbers, self.kind, self.factor)
        if self.changes:
            values = values + sum(scale * change.of(values) for scale, change in self.changes)
        return values.to(self.dtype)


class StoredLinear(StoredLayer, torch.nn.Linear):  # type: ignore[override]  # Reads its weight.
    """A linear layer that keeps its weight as it is stored.

    Args:
        stored: Its weight.
        bias: As in the full layer.
        dtype: The type that it multiplies in.
    """

    out_features: int
    in_features: int

    def __init__(
        self, stored: StoredTensor, bias: torch.nn.Parameter | None, *, dtype: torch.dtype
    ) -> None:
        torch.nn.Module.__init__(self)
        self._keep(stored, dtype)
        self.out_features, self.in_features = stored.shape
        self.register_parameter("bias", bias)

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name.
        """Return (…, out_features)."""
        return torch.nn.functional.linear(input, self.weight, self.bias)


class StoredEmbedding(StoredLayer, torch.nn.Embedding):  # type: ignore[override]  # The same.
    """An embedding that keeps its table as it is stored.

    Args:
        stored: Its table.
        padding_idx: As in the full layer.
        dtype: The type of its output.
    """

    num_embeddings: int
    embedding_dim: int
    max_norm: float | None
    norm_type: float

    def __init__(
        self, stored: StoredTensor, padding_idx: int | None, *, dtype: torch.dtype
    ) -> None:
        torch.nn.Module.__init__(self)
        self._keep(stored, dtype)
        self.num_embeddings, self.embedding_dim = stored.shape
        self.padding_idx = padding_idx
        self.max_norm, self.norm_type = None, 2.0
        self.scale_grad_by_freq = self.sparse = False

    def forward(self, input: torch.Tensor) -> torch.Tensor:  # noqa: A002 - torch's own name.
        """Return (…, embedding_dim) of (…) indices; reads only the rows that are asked for."""
        rows = input.reshape(-1)
        factor = self.factor
        if factor is not None and factor.shape[0] > 1:
            factor = factor[rows]
        values = read_stored(self.numbers[rows], self.kind, factor)
        return values.to(self.dtype).view(*input.shape, self.embedding_dim)


def stored_layer(layer: Any, stored: StoredTensor, dtype: torch.dtype) -> StoredLayer | None:
    """Return a layer that keeps its weight as it is stored; None for other kinds of layers.

    Args:
        layer: With its bias, if it has one.
        stored: Its weight.
        dtype: The type that it computes in.
    """
    if type(layer) is torch.nn.Linear:
        return StoredLinear(stored, layer.bias, dtype=dtype)
    if type(layer) is torch.nn.Embedding:
        return StoredEmbedding(stored, layer.padding_idx, dtype=dtype)
    return None
