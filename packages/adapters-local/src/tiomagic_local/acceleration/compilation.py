"""Compiles the repeated blocks of a transformer (torch.compile), if the run is long enough.

The difference is rounding. One block of each kind is compiled and reused for all others, which
takes a tenth of the time for the whole transformer.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tiomagic_local.acceleration.components import transformers

MAX_GRAPHS = 64
"""Compiled graphs of one kind of block that a process keeps. Videos of several sizes soon reach
torch's own limit of 8, beyond which blocks run uncompiled."""

MIN_FLOP = 4e16
"""The break-even of compiling on a GPU. Measured on an H100 with 16 cores: compiling takes 13 s in
a new process, and saves a second in 3e15 operations of Wan 2.1 14B and in 2.5e15 of 1.3B
(``benchmarks/results/gpu_pipelines.json``). It is 12 of the 50 steps of 14B at 480p."""


def is_compiling_worthwhile(device: torch.device, flop: float | None) -> bool:
    """Return whether a run is worth compiling for.

    It depends on the run alone, never on what the process did before: the same call always gives
    the same numbers.

    Args:
        device: What it runs on.
        flop: Arithmetic of its denoising loop; None when unknown.
    """
    return device.type == "cuda" and flop is not None and flop >= MIN_FLOP


@contextlib.contextmanager
def compile_blocks(
    pipeline: Any, *, backend: str | Callable[..., Any] = "inductor"
) -> Iterator[list[str]]:
    """Compile the repeated blocks within the block.

    Compiled code stays in the process for the next run of the same shapes. A graph that cannot be
    compiled runs uncompiled.

    Only a block's own forward pass is compiled, and the hooks of a cache are added around it later.
    Compiled with its hooks, each block would be a separate graph, and the compiler would stop at
    the ninth.

    Args:
        pipeline: Loaded.
        backend: Of torch.compile.

    Yields:
        Names of the components that are compiled; fewer than all where one cannot be.
    """
    found = {
        name: [] if any(_moves(block) for block in blocks) else blocks
        for name, blocks in repeated_blocks(pipeline).items()
    }
    before = {block: vars(block).get("forward") for blocks in found.values() for block in blocks}
    try:
        with _settings():
            for block in before:
                # Static shapes: dynamic code is slower, and whether torch generates it depends on
                # earlier runs.
                block.forward = torch.compile(block.forward, backend=backend, dynamic=False)
            yield [name for name, blocks in found.items() if blocks]
    finally:
        for block, forward in before.items():
            if forward is None:
                vars(block).pop("forward", None)
            else:
                block.forward = forward


def _settings() -> Any:
    return torch._dynamo.config.patch(  # noqa: SLF001 - its public name.
        suppress_errors=True, recompile_limit=MAX_GRAPHS
    )


def repeated_blocks(pipeline: Any) -> dict[str, list[torch.nn.Module]]:
    """Return the repeated blocks of each transformer, by the component's name."""
    return {name: _repeated(part) for name, part in transformers(pipeline).items()}


def _repeated(part: torch.nn.Module) -> list[torch.nn.Module]:
    # Not every model declares its repeated blocks; the modules that must not be split are the same.
    names = getattr(part, "_repeated_blocks", None) or getattr(part, "_no_split_modules", None)
    if not names:
        return []
    kinds = Counter(type(module).__name__ for module in part.modules())
    return [
        module
        for module in part.modules()
        if type(module).__name__ in names and kinds[type(module).__name__] > 1
    ]


def _moves(block: torch.nn.Module) -> bool:
    """Return whether its weights are offloaded layer by layer.

    Hooks in each layer break the graph into small pieces, and the transfers dominate the time
    anyway.
    """
    registries = (getattr(module, "_diffusers_hook", None) for module in block.modules())
    return any(registry is not None and registry.hooks for registry in registries)
