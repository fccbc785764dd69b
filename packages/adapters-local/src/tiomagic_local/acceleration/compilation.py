"""Compiles the blocks that a transformer repeats, when a run is long enough to pay for it.

Same arithmetic, other order: the difference is rounding. One block of each kind is compiled and
all its likes use it, which takes a tenth of what the whole transformer takes.
"""

from __future__ import annotations

import contextlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import torch

from tiomagic_local.acceleration.components import transformers

MAX_GRAPHS = 64
"""Graphs of one kind of block that a process keeps; torch's own limit of 8 is soon reached by a
process that makes videos of several sizes, and what is beyond it runs uncompiled."""

MIN_FLOP = 4e16
"""From here on a run on a GPU pays for it. Measured on an H100 beside 16 cores: compiling takes
13 s in a new process, and saves a second in 3e15 operations of Wan 2.1 14B and in 2.5e15 of 1.3B
(``benchmarks/results/gpu_pipelines.json``). It is 12 of the 50 steps of 14B at 480p."""


def is_compiling_worthwhile(device: torch.device, flop: float | None) -> bool:
    """Return whether a run is worth compiling for.

    It depends on the run alone, never on what the process did before: the same call always gives
    the same numbers.

    Args:
        device: What it runs on.
        flop: Arithmetic of its denoising loop; None when nobody can tell.
    """
    return device.type == "cuda" and flop is not None and flop >= MIN_FLOP


@contextlib.contextmanager
def compile_blocks(
    pipeline: Any, *, backend: str | Callable[..., Any] = "inductor"
) -> Iterator[list[str]]:
    """Have the repeated blocks compiled for the time of the block.

    What was compiled stays in the process: the next run of the same shapes does not wait. A graph
    that cannot be compiled runs as it is.

    A block's own forward pass is what is compiled, so that the hooks of a cache, which come later,
    lie around it. Compiled together with them, each block would be a graph of its own, and from the
    ninth on the compiler would give up.

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
                # Shapes as they are: code for any shape is slower, and whether it is made depends
                # on what the process did before.
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
    """Return the blocks of each transformer that there are several of, by the component's name."""
    return {name: _repeated(part) for name, part in transformers(pipeline).items()}


def _repeated(part: torch.nn.Module) -> list[torch.nn.Module]:
    # Not every model of the library says which they are; those that are never split are the same.
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
    """Return whether its weights wait elsewhere and come layer by layer.

    Hooks in each layer cut the graph into crumbs, and the time goes into the transport anyway.
    """
    registries = (getattr(module, "_diffusers_hook", None) for module in block.modules())
    return any(registry is not None and registry.hooks for registry in registries)
