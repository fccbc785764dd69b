"""Opens a file of weights, in safetensors or GGUF."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from tiomagic_local.checkpoint.gguf_files import SUFFIX, GgufFile
from tiomagic_local.checkpoint.header import WeightsHeader, read_safetensors_header

if TYPE_CHECKING:
    import torch

SUFFIXES = frozenset({".safetensors", SUFFIX})
"""Endings of the files that are read."""


class ReadsTensors(Protocol):
    """An open file."""

    def get_tensor(self, name: str) -> torch.Tensor:
        """Return a tensor as it is stored."""
        ...


def read_header(path: Path) -> WeightsHeader:
    """Return the names, types and shapes of the tensors of a file.

    Raises:
        MissingDependencyError: when it is in GGUF, and the library is missing.
        DamagedHeaderError: when it is another file, or is cut short.
        OSError: when it cannot be read.
    """
    if path.suffix.lower() == SUFFIX:
        return GgufFile(path).header()
    return read_safetensors_header(path)


@contextlib.contextmanager
def open_weights(path: Path) -> Iterator[ReadsTensors]:
    """Open a file for the time of the block; raises what `read_header` does."""
    if path.suffix.lower() == SUFFIX:
        yield GgufFile(path)
        return
    from safetensors import safe_open

    with safe_open(path, framework="pt") as opened:
        yield opened
