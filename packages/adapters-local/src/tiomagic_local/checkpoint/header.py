"""The header of a safetensors file: names, types and shapes of its tensors. Loads no torch.

Read by hand, because an error has to say what is wrong with the file. ``safetensors.safe_open``
does not say how many bytes are missing, and refuses a type that is newer than the library; the
reader of the hub's client does not look whether the tensors are all there.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_HEADER_BYTES = 100_000_000
"""Bytes; the format's own limit of a header."""
EIGHT_BITS = frozenset({"F8_E4M3", "F8_E5M2"})
"""The 8-bit floating-point types of a header."""
WHOLE = frozenset({"F64", "F32", "F16", "BF16"})
"""Floating-point types that need no factor."""


class DamagedHeaderError(ValueError):
    """The file is not in this format, or its header is damaged."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A tensor of a file."""

    type: str
    """Such as ``BF16``, ``F8_E4M3`` or ``I8``."""
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class WeightsHeader:
    """The header of a file."""

    tensors: Mapping[str, Entry]
    metadata: Mapping[str, str]


def read_safetensors_header(path: Path) -> WeightsHeader:
    """Return the header of a file.

    Raises:
        DamagedHeaderError: when it has none, or is shorter than it says.
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        length = path.stat().st_size
        size = int.from_bytes(file.read(8), "little")
        if not 2 <= size <= min(MAX_HEADER_BYTES, length):
            raise DamagedHeaderError("it is not a safetensors file, or is damaged")
        try:
            found = json.loads(file.read(size))
        except ValueError as error:
            raise DamagedHeaderError("its header is damaged") from error
    if not isinstance(found, dict):
        raise DamagedHeaderError("its header is damaged")
    metadata = found.pop("__metadata__", {})
    tensors, end = {}, 0
    try:
        for name, said in found.items():
            tensors[name] = Entry(str(said["dtype"]), tuple(int(side) for side in said["shape"]))
            end = max(end, int(said["data_offsets"][1]))
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise DamagedHeaderError("its header is damaged") from error
    if 8 + size + end > length:
        lacking = 8 + size + end - length
        raise DamagedHeaderError(f"it is cut short: {lacking} bytes are missing at its end")
    return WeightsHeader(tensors, metadata if isinstance(metadata, dict) else {})


def text_of(values: bytes) -> Any:
    """Return the JSON in a tensor of bytes; None for anything else."""
    try:
        return json.loads(values)
    except ValueError:
        return None
