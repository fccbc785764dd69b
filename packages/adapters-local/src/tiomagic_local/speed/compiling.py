"""Compiles the blocks that a transformer repeats, when a run is long enough to pay for it.

Same arithmetic, other order: the difference is rounding. One block of each kind is compiled and
all its likes use it, which takes a tenth of what the whole transformer takes.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from typing import Any

import torch

log = logging.getLogger("tiomagic.local")

LEAST_FLOP = 3e16
"""From here on a run on a GPU pays for it: about a minute on a card that does 500 TFLOP/s, of which
the compiled blocks save some tenths. Not measured yet; ``benchmarks/gpu_pipelines.py`` does."""


def pays(device: torch.device, flop: float | None) -> bool:
    """Return whether a run is worth compiling for.

    It depends on the run alone, never on what the process did before: the same call always gives
    the same numbers.

    Args:
        device: What it runs on.
        flop: Arithmetic of its denoising loop; None when nobody can tell.
    """
    return device.type == "cuda" and flop is not None and flop >= LEAST_FLOP


@contextlib.contextmanager
def compiled(pipeline: Any, *, backend: str = "inductor") -> Iterator[list[str]]:
    """Have the repeated blocks compiled for the time of the block.

    What was compiled stays in the process: the next run of the same shapes does not wait. A graph
    that cannot be compiled runs as it is.

    Args:
        pipeline: Loaded.
        backend: Of torch.compile.

    Yields:
        Names of the components that are compiled; fewer than all where one cannot be.
    """
    parts = {
        name: part
        for name, part in pipeline.components.items()
        if name.startswith("transformer") and getattr(part, "_repeated_blocks", None)
    }
    try:
        with torch._dynamo.config.patch(suppress_errors=True):  # noqa: SLF001 - its public name.
            for part in parts.values():
                part.compile_repeated_blocks(backend=backend)
            yield list(parts)
    finally:
        for part in parts.values():
            for module in part.modules():
                module._compiled_call_impl = None  # noqa: SLF001 - torch has no other way back.
