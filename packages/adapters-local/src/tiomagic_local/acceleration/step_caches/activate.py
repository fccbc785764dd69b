"""Turns a step cache on for a run, counts what it leaves out, and removes it afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

from diffusers.hooks import HookRegistry
from diffusers.models.cache_utils import CacheMixin

from tiomagic_local.acceleration.components import transformers
from tiomagic_local.acceleration.step_caches.clock import read_noise
from tiomagic_local.acceleration.step_caches.first_block import FirstBlock
from tiomagic_local.acceleration.step_caches.kinds import CacheRun, StepCache
from tiomagic_local.acceleration.step_caches.mag import Mag
from tiomagic_local.acceleration.step_caches.sea import Sea, tell_step
from tiomagic_local.acceleration.step_caches.taylor import Taylor
from tiomagic_local.acceleration.step_caches.vace_hints import add_hints_inside

if TYPE_CHECKING:
    import torch

KINDS: Final[Mapping[str, StepCache]] = MappingProxyType(
    {"first_block": FirstBlock(), "mag": Mag(), "sea": Sea(), "taylor": Taylor()}
)
"""Each cache, by the value of the argument."""
MIN_STEPS = 12
"""With fewer steps, each changes too much for a cache."""


@dataclass(slots=True)
class CacheStats:
    """What a cache did in one run."""

    kind: str
    setting: Mapping[str, Any]
    computed: int = 0
    """Calls of the transformer with all of its blocks."""
    skipped: int = 0
    """Calls that left blocks out."""
    refused: str | None = None
    """Why the cache is off; None when it is on."""
    instead: str | None = None
    """Why it is this one and not the best; None for the one that was asked for."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for a job's record."""
        if self.refused is not None:
            return {"refused": self.refused}
        counts = {"computed": self.computed, "skipped": self.skipped}
        why = {"instead": self.instead} if self.instead else {}
        return {"kind": self.kind, **self.setting, **counts, **why}


@contextlib.contextmanager
def enable_step_cache(pipeline: Any, kind: str, run: CacheRun) -> Iterator[CacheStats]:
    """Add a cache to all transformers of a pipeline within the block.

    Args:
        pipeline: Loaded.
        kind: A key of ``KINDS``.
        run: What the cache needs to know.

    Yields:
        The counts; complete when the block ends.
    """
    cache = KINDS[kind]
    stats = CacheStats(kind, cache.describe(run.level))
    parts = cacheable(pipeline)
    if run.steps < MIN_STEPS:
        stats.refused = f"a cache needs {MIN_STEPS} steps, and this run has {run.steps}"
    elif not parts:
        stats.refused = "the transformer has no caches"
    on: list[Any] = []
    with contextlib.ExitStack() as stack:
        try:
            for name, part in parts.items() if stats.refused is None else ():
                stack.enter_context(add_hints_inside(part))
                on.append(part)
                states = cache.turn_on(run, name, part)
                stack.enter_context(_watched(part, cache, run, states, stats))
        # The library's hooks raise for models whose blocks they do not know.
        except (ValueError, AttributeError, IndexError) as error:
            stats.refused = f"this transformer cannot be cached ({error})"
            _turn_off(on, cache)
            on = []
        try:
            yield stats
        finally:
            _turn_off(on, cache)


def cacheable(pipeline: Any) -> dict[str, Any]:
    """Return the transformers of a pipeline that the library can cache, by their names."""
    found = transformers(pipeline).items()
    return {name: part for name, part in found if isinstance(part, CacheMixin)}


@contextlib.contextmanager
def _watched(
    part: torch.nn.Module, cache: StepCache, run: CacheRun, states: Any, stats: CacheStats
) -> Iterator[None]:
    """Have the clock go with the calls of a transformer, and count what each has computed."""

    def before(_part: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]) -> None:
        if not part.is_cache_enabled:
            return
        if states._context is None:  # noqa: SLF001 - the public name raises.
            # The two passes of a step would be taken for one another.
            stats.refused = "the pipeline does not say which pass it makes"
            _turn_off([part], cache)
            return
        name = states.context.name
        moment = run.clock.advance(name, read_noise(part, given, named))
        if moment.begins:
            _forget(part, name)
        tell_step(part, states, moment, run.steps)

    def after(*_call: Any) -> None:
        if not part.is_cache_enabled:
            return
        computed = cache.did_compute(states.get_state())
        stats.computed += computed
        stats.skipped += not computed

    handles = [
        part.register_forward_pre_hook(before, with_kwargs=True),
        part.register_forward_hook(after),
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _forget(part: torch.nn.Module, name: str) -> None:
    """Drop what the hooks keep of a pass: a new section is no continuation of the last."""
    for module in part.modules():
        registry = getattr(module, "_diffusers_hook", None)
        for hook in registry.hooks.values() if isinstance(registry, HookRegistry) else ():
            states = getattr(hook, "state_manager", None)
            if states is not None:
                states._state_cache.pop(name, None)  # noqa: SLF001 - reset() drops all passes.


def _turn_off(parts: list[Any], cache: StepCache) -> None:
    for part in parts:
        if part.is_cache_enabled:
            # Removes the hooks and their state, so that the next run starts fresh.
            part.disable_cache()
            continue
        # After a partial failure some blocks have hooks although the cache does not count as
        # enabled.
        registry = HookRegistry.check_if_exists_or_initialize(part)
        for name in cache.hooks:
            registry.remove_hook(name, recurse=True)
        registry.invalidate_child_registries_cache()
