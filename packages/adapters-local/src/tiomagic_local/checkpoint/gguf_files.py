"""The header and the tensors of a GGUF file, read by the format's own library."""

from __future__ import annotations

import importlib.util
import math
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiomagic_domain.extras import missing_extra_error
from tiomagic_local.checkpoint.header import DamagedHeaderError, Entry, WeightsHeader

if TYPE_CHECKING:
    import torch

EXTRA: Final = "quantized"
"""The extra of the distribution that has the library."""
SUFFIX: Final = ".gguf"
PLAIN: Final = frozenset({"F32", "F16", "BF16"})
"""Types that are numbers as they are."""
PACKED: Final = frozenset(
    {
        *("Q8_0", "Q6_K", "Q5_K", "Q4_K", "Q3_K", "Q2_K"),
        *("Q5_1", "Q5_0", "Q4_1", "Q4_0", "IQ4_NL", "IQ4_XS"),
    }
)
"""Packed types that diffusers unpacks on the device."""
ARCHITECTURE = "general.architecture"
"""The field of a file that names its model."""
SHAPE = "comfy.gguf.orig_shape."
"""Fields of ComfyUI-GGUF: the shape of a tensor that had to be reshaped for packing."""
MAGIC = b"GGUF"


class GgufFile:
    """A GGUF file, mapped into memory.

    Args:
        path: Its path.

    Raises:
        MissingDependencyError: without the library.
        DamagedHeaderError: when it is another file, is cut short, or has a type that is not read.
        OSError: when it cannot be read.
    """

    def __init__(self, path: Path) -> None:
        if importlib.util.find_spec("gguf") is None:
            raise missing_extra_error(EXTRA, "reading a GGUF file", module="gguf")
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise DamagedHeaderError("it is not a GGUF file, or is damaged")
        import gguf

        try:
            reader: Any = gguf.GGUFReader(path)
        # The library checks no lengths; a short file ends in whatever numpy raises.
        except (ValueError, IndexError, KeyError, OverflowError, TypeError) as error:
            raise DamagedHeaderError("it is cut short, or is damaged") from error
        self._tensors: Mapping[str, Any] = {one.name: one for one in reader.tensors}
        self._reader = reader
        odd = {n: t.tensor_type.name for n, t in self._tensors.items() if not _is_read(t)}
        if odd:
            name, type_ = next(iter(odd.items()))
            raise DamagedHeaderError(
                f"{len(odd)} of its tensors are stored as {type_}, such as {name!r}, which is not "
                f"read; these are: {', '.join(sorted(PACKED))}"
            )

    def header(self) -> WeightsHeader:
        """Return the names, types and shapes of its tensors, and what it says of its model."""
        entries = {
            name: Entry(one.tensor_type.name, self._shape(name, one))
            for name, one in self._tensors.items()
        }
        field = self._reader.get_field(ARCHITECTURE)
        return WeightsHeader(entries, {ARCHITECTURE: field.contents()} if field else {})

    def get_tensor(self, name: str) -> torch.Tensor:
        """Return a tensor: numbers as they are, or the bytes of packed blocks, (rows, bytes)."""
        import torch

        one = self._tensors[name]
        values = torch.from_numpy(one.data.copy())
        shape = self._shape(name, one)
        if one.tensor_type.name == "BF16":
            values = values.view(torch.bfloat16)
        if one.tensor_type.name in PLAIN:
            return values.reshape(shape)
        return values.reshape(shape[0], -1)

    def _shape(self, name: str, one: Any) -> tuple[int, ...]:
        said = self._reader.get_field(f"{SHAPE}{name}")
        # The format counts the axes from the innermost.
        sides = reversed(one.shape.tolist()) if said is None else said.contents()
        return tuple(int(side) for side in sides)


def _is_read(one: Any) -> bool:
    return one.tensor_type.name in PACKED or one.tensor_type.name in PLAIN


def count_packed_bytes(entry: Entry) -> int:
    """Return the bytes of a packed tensor; 0 for one in another type."""
    if entry.type not in PACKED:
        return 0
    import gguf

    values, size = gguf.GGML_QUANT_SIZES[gguf.GGMLQuantizationType[entry.type]]
    return math.prod(entry.shape) // int(values) * int(size)
