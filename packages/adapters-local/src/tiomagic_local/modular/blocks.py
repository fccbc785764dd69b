"""Walks over the blocks of a modular pipeline, and keeps their progress bars quiet."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Iterator
from typing import Any, Self

_BAR = "tqdm"
"""What modules call the progress bar that they draw themselves."""


def each_block(block: Any) -> Iterator[Any]:
    """Give a block and all blocks in it, the outer ones first."""
    yield block
    for inner in getattr(block, "sub_blocks", {}).values():
        yield from each_block(inner)


@contextlib.contextmanager
def quiet_blocks(pipeline: Any) -> Iterator[None]:
    """Have the blocks of a pipeline print nothing within the block.

    Most ask the pipeline whether they may draw a bar, and some just draw one. When a run is
    stopped, each block logs an error with a traceback of its own; the exception says it all.

    Args:
        pipeline: A modular pipeline.
    """
    # The public name returns a copy.
    blocks = list(each_block(pipeline._blocks))  # noqa: SLF001 - see above
    drawn = {sys.modules[type(block).__module__] for block in blocks}
    drawn = {module for module in drawn if hasattr(module, _BAR)}
    before = {module: getattr(module, _BAR) for module in drawn}
    log = logging.getLogger("diffusers.modular_pipelines.modular_pipeline")
    disabled = log.disabled
    try:
        for block in blocks:
            if hasattr(block, "set_progress_bar_config"):
                block.set_progress_bar_config(disable=True)
        for module in drawn:
            setattr(module, _BAR, _NoBar)
        log.disabled = True
        with warnings.catch_warnings():
            # Of a scheduler that hands NumPy a tensor: a matter of the two libraries.
            words = "__array__ implementation doesn't accept a copy keyword"
            warnings.filterwarnings("ignore", words, DeprecationWarning)
            yield
    finally:
        log.disabled = disabled
        for module, bar in before.items():
            setattr(module, _BAR, bar)


class _NoBar:
    """Stands where a block makes a progress bar, and draws nothing."""

    def __init__(self, iterable: Any = (), **_rest: Any) -> None:
        self._iterable = iterable

    def __iter__(self) -> Iterator[Any]:
        return iter(self._iterable)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        """Do nothing."""

    def update(self, count: int = 1) -> None:
        """Do nothing."""
