"""Pauses the garbage collector while the model libraries are imported."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def pause_garbage_collection() -> Iterator[None]:
    """Pause the garbage collector within the block, if it is on.

    Imports make millions of permanent objects, which the collector would traverse repeatedly.
    Without it torch, diffusers and transformers load in an eighth less time (7.4 s instead of 8.4 s
    on two slow cores).
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
