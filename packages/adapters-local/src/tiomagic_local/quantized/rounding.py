"""Rounds full weights to the formats that are made when a model is loaded.

``int8`` and ``fp8`` have a factor for each row, so that its largest number is the largest of the
format. ``q5_1`` and ``q4_1`` are GGUF's blocks of 32 numbers with a factor and an offset; ``nf4``
has its own module.
"""

from __future__ import annotations

import importlib.util

import torch

from tiomagic_domain.extras import missing_extra_error
from tiomagic_local.checkpoint.gguf_files import EXTRA
from tiomagic_local.quantized import nf4
from tiomagic_local.quantized.tensors import StoredTensor

ROWS_AT_ONCE = 4096
"""Rows that are rounded at a time, so that no second full copy of a large table is made."""
PACKED_KINDS = {"q5_1": "Q5_1", "q4_1": "Q4_1"}
"""GGUF's types by the names of formats."""


def check_format(format_: str) -> None:
    """Check that the library of a format is here.

    Raises:
        MissingDependencyError: with the command that installs it.
    """
    if format_ in PACKED_KINDS and importlib.util.find_spec("gguf") is None:
        raise missing_extra_error(EXTRA, f"quantization={format_!r}", module="gguf")


def fits_format(columns: int, format_: str) -> bool:
    """Say whether rows of so many columns can be rounded to a format."""
    if format_ == nf4.KIND:
        return columns % nf4.BLOCK == 0
    return format_ not in PACKED_KINDS or columns % 32 == 0


def round_weight(weight: torch.Tensor, format_: str) -> StoredTensor:
    """Return a weight in a format.

    Args:
        weight: (rows, columns), of any floating-point type.
        format_: ``int8``, ``fp8``, ``q5_1``, ``q4_1`` or ``nf4``.
    """
    pieces = [_rounded(rows.float(), format_) for rows in torch.split(weight, ROWS_AT_ONCE)]
    factors = [piece.factor for piece in pieces if piece.factor is not None]
    return StoredTensor(
        numbers=torch.cat([piece.numbers for piece in pieces]),
        kind=pieces[0].kind,
        factor=torch.cat(factors) if factors else None,
    )


def _rounded(weight: torch.Tensor, format_: str) -> StoredTensor:
    if format_ == nf4.KIND:
        numbers, factors = nf4.pack(weight)
        return StoredTensor(numbers=numbers, kind=format_, factor=factors)
    if format_ in PACKED_KINDS:
        return _packed(weight, PACKED_KINDS[format_])
    largest = 127.0 if format_ == "int8" else torch.finfo(torch.float8_e4m3fn).max
    factor = weight.abs().amax(dim=1, keepdim=True) / largest
    # A row of zeros has any factor.
    factor = torch.where(factor == 0, 1.0, factor)
    values = (weight / factor).clamp(-largest, largest)
    if format_ == "int8":
        return StoredTensor(numbers=values.round().to(torch.int8), kind="int8", factor=factor)
    numbers = values.to(torch.float8_e4m3fn).view(torch.uint8)
    return StoredTensor(numbers=numbers, kind="float8_e4m3fn", factor=factor)


def _packed(weight: torch.Tensor, kind: str) -> StoredTensor:
    import gguf

    packed = gguf.quants.quantize(weight.contiguous().numpy(), gguf.GGMLQuantizationType[kind])
    return StoredTensor(numbers=torch.from_numpy(packed), kind=kind)
