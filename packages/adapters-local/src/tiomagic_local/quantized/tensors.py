"""Tensors as they are stored, and their renaming by diffusers.

The conversions of diffusers rename the tensors of a file, and cut some into rows. They know nothing
of factors, so they run twice: with the stored numbers, and with a note of kind and factor for each
row, which goes the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from tiomagic_local.checkpoint.gguf_files import PACKED
from tiomagic_local.quantized import nf4

EIGHT_BIT_TYPES = {"F8_E4M3": "float8_e4m3fn", "F8_E5M2": "float8_e5m2", "I8": "int8"}
"""Torch's name of each 8-bit type of a safetensors header."""
KINDS = (*sorted(EIGHT_BIT_TYPES.values()), *sorted(PACKED), nf4.KIND)
"""All ways to store a weight."""

Tensors = dict[str, torch.Tensor]
Convert = Callable[[Tensors], Tensors]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredTensor:
    """The weight of a layer, as it is stored."""

    numbers: torch.Tensor
    """(rows, …), uint8 or int8: an 8-bit number for each value, or the bytes of packed blocks."""
    kind: str
    """One of `KINDS`."""
    factor: torch.Tensor | None = None
    """fp32, (1, 1) or (rows, 1): what each number is multiplied with; None for none. Of NF4 it is
    fp16, (rows, blocks)."""

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the weight."""
        rows, length = self.numbers.shape
        return rows, columns_of(length, self.kind)

    def full(self) -> torch.Tensor:
        """Return the weight in fp32, (rows, columns)."""
        return read_stored(self.numbers, self.kind, self.factor)


Loaded = dict[str, "torch.Tensor | StoredTensor"]


def keep_stored(
    tensor: torch.Tensor, type_: str, factor: torch.Tensor | None = None
) -> StoredTensor | None:
    """Return a weight of a file as it is stored, if a layer can keep it so.

    Args:
        tensor: As it is in the file.
        type_: Of the header.
        factor: That of the weight; None for none.

    Returns:
        None for numbers of 16 bits or more, for what is no matrix, and for a factor that is neither
        one number nor one for each row.
    """
    if type_ == nf4.KIND and factor is not None:
        return StoredTensor(numbers=tensor, kind=type_, factor=factor)
    kind = type_ if type_ in PACKED else EIGHT_BIT_TYPES.get(type_)
    if kind is None or tensor.ndim != 2:
        return None
    if factor is not None:
        rows = tensor.shape[0]
        if factor.numel() != 1 and factor.shape not in {(rows,), (rows, 1)}:
            return None
        factor = factor.float().reshape(-1, 1)
    numbers = tensor if kind == "int8" else tensor.view(torch.uint8)
    return StoredTensor(numbers=numbers, kind=kind, factor=factor)


def columns_of(length: int, kind: str) -> int:
    """Return the columns of a weight whose rows are of so many stored numbers."""
    if kind == nf4.KIND:
        return 2 * length
    if kind not in PACKED:
        return length
    block, size = block_sizes(kind)
    return length // size * block


def block_sizes(kind: str) -> tuple[int, int]:
    """Return the values and the bytes of a block of GGUF."""
    import gguf

    values, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[kind]]
    return int(values), int(size)


def read_stored(numbers: torch.Tensor, kind: str, factor: torch.Tensor | None) -> torch.Tensor:
    """Return stored numbers as values in fp32.

    Args:
        numbers: (rows, …), as in `StoredTensor`.
        kind: One of `KINDS`.
        factor: That of these rows.
    """
    if kind in PACKED:
        return _unpacked(numbers, kind)
    if kind == nf4.KIND:
        assert factor is not None, "each block has one"
        return nf4.unpack(numbers, factor)
    if kind != "int8":
        numbers = numbers.view(getattr(torch, kind))
    values = numbers.float()
    return values if factor is None else values * factor


def _unpacked(numbers: torch.Tensor, kind: str) -> torch.Tensor:
    import gguf
    from diffusers.quantizers.gguf.utils import dequantize_functions

    values, size = block_sizes(kind)
    unpack = dequantize_functions[gguf.GGMLQuantizationType[kind]]
    blocks = numbers.reshape(-1, size)
    made: torch.Tensor = unpack(blocks, values, size, dtype=torch.float32)
    return made.reshape(*numbers.shape[:-1], columns_of(numbers.shape[-1], kind))


def rename(loaded: Loaded, convert: Convert) -> Loaded:
    """Return tensors under the names that a conversion of diffusers gives them.

    Args:
        loaded: By the names of a file.
        convert: Renames, and cuts or joins rows.

    Raises:
        ValueError: when it joins weights that are stored in different ways.
    """
    renamed = convert({name: _numbers(tensor) for name, tensor in loaded.items()})
    if not any(isinstance(tensor, StoredTensor) for tensor in loaded.values()):
        return dict(renamed)
    notes = convert({name: _note(tensor) for name, tensor in loaded.items()})
    return {name: _noted(name, tensor, notes[name]) for name, tensor in renamed.items()}


def _numbers(tensor: torch.Tensor | StoredTensor) -> torch.Tensor:
    return tensor.numbers if isinstance(tensor, StoredTensor) else tensor


def _note(tensor: torch.Tensor | StoredTensor) -> torch.Tensor:
    """Return (rows, 2): the kind of each row, and its factor; any other tensor without values."""
    if not isinstance(tensor, StoredTensor):
        return tensor.to("meta")
    rows = tensor.numbers.shape[0]
    note = torch.ones(rows, 2)
    note[:, 0] = KINDS.index(tensor.kind)
    note[:, 1:] = float("nan") if tensor.factor is None else tensor.factor
    return note


def _noted(name: str, numbers: torch.Tensor, note: torch.Tensor) -> torch.Tensor | StoredTensor:
    if note.is_meta:
        return numbers
    kinds, factors = note[:, 0], note[:, 1:]
    if (kinds != kinds[0]).any():
        raise ValueError(f"the parts of {name!r} are stored in different ways")
    same = bool((factors == factors[0]).all())
    factor = None if bool(factors.isnan().any()) else factors[:1] if same else factors
    return StoredTensor(
        numbers=numbers,
        kind=KINDS[int(kinds[0])],
        factor=None if factor is None else factor.clone(),
    )
