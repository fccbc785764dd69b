"""A model that is ready to run, as a run gets it from the pipeline cache."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from tiomagic_domain.ports.provider import Request
from tiomagic_domain.progress import CancelToken
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.torch_env.devices import PeakMemory


@runtime_checkable
class KeepsCache(Protocol):
    """An engine whose transformer keeps keys and values from one pass for all steps."""

    def place_cache(self, *, in_main_memory: bool, eight_bits: bool) -> None:
        """Say where they wait from the next call on, and whether as whole numbers of 8 bits."""
        ...


@contextlib.contextmanager
def run_on_one_device(_request: Request, cancel: CancelToken) -> Iterator[CancelToken]:
    """Make a call on one device."""
    yield cancel


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """A model that is ready to run."""

    engine: Any
    """Has a method for each feature of its cards."""
    pipeline: Any = None
    """What its engine calls."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Device, types, memory plan and weights, for the record."""
    revisions: Mapping[str, str] = field(default_factory=dict)
    """The hub's commits that it was made from, by repository."""
    loras: Sequence[Mapping[str, Any]] = ()
    """Those of the call, as a recipe names them, each with the number of layers it changes."""
    files: Mapping[str, str] = field(default_factory=dict)
    """Files of the call in place of components, as a recipe names them."""
    quantization: Mapping[str, str] = field(default_factory=dict)
    """The format of each group of components that is kept in fewer bits."""
    fallback_plan: MemoryPlan | None = None
    """The memory plan to try if this one turns out to be too large; None for no other."""
    running: Any = None
    """Its acceleration; ``facts()`` are complete when the run is over."""
    run_in_step: Callable[[Request, CancelToken], AbstractContextManager[CancelToken]] = (
        run_on_one_device
    )
    """Has the other devices of a group make the same call for the time of a block."""
    peak: PeakMemory = field(default_factory=PeakMemory)
    """The peak device memory of the run; complete when it is over."""
    transformers: Sequence[Any] = ()
    """What a group of devices splits."""
