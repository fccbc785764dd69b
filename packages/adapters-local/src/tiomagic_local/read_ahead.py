"""Reads layers that stay in their files ahead of time, while the layers before them run.

A tensor that is mapped from a file is read when it is used, and the device waits for that. Before a
block runs, the system is told which pages the next one takes, and reads them meanwhile.
"""

from __future__ import annotations

import ctypes
import mmap
import sys
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Any

import torch

Advise = Callable[[int, int], object]
"""Takes an address and a length in bytes."""


def read_ahead(part: torch.nn.Module, advise: Advise | None = None) -> None:
    """Have the system read each block of a component while the one before it runs.

    After the last one come the first of the next step. Does nothing where the system cannot.

    Args:
        part: With its weights mapped from files.
        advise: In place of the system's own.
    """
    advise = advise or system_advice()
    if advise is None:
        return
    for blocks in _lists(part):
        for block, following in pairwise((*blocks, blocks[0])):
            block.register_forward_pre_hook(_Reader(following, advise))


class _Reader:
    """A hook that asks for the pages of another block."""

    def __init__(self, following: torch.nn.Module, advise: Advise) -> None:
        self._following, self._advise = following, advise

    def __call__(self, *_call: Any) -> None:
        for tensor in self._following.parameters():
            if tensor.device.type == "cpu":
                self._advise(tensor.data_ptr(), tensor.nbytes)


def _lists(part: torch.nn.Module) -> Iterator[list[torch.nn.Module]]:
    """Yield the lists of blocks of a component, without those inside of blocks."""
    for child in part.children():
        if isinstance(child, torch.nn.ModuleList) and len(child) > 1:
            yield list(child)
        else:
            yield from _lists(child)


def system_advice() -> Advise | None:
    """Return the system's call; None where there is none."""
    if sys.platform != "linux":
        return None
    library = ctypes.CDLL(None)

    def advise(address: int, length: int) -> None:
        start = address - address % mmap.PAGESIZE
        # It may refuse: then the pages are read when they are used.
        library.madvise(
            ctypes.c_void_p(start), ctypes.c_size_t(address + length - start), mmap.MADV_WILLNEED
        )

    return advise
