"""First-block cache: skips most of the transformer in steps where its first block changes little.

The first block always runs. If its residual differs from the previous step's by less than a
threshold, the other blocks' residual of that step is reused. The video changes, so this belongs to
`fast`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from diffusers import FirstBlockCacheConfig
from diffusers.hooks import HookRegistry
from diffusers.hooks.first_block_cache import _FBC_BLOCK_HOOK as FOLLOWER
from diffusers.hooks.first_block_cache import _FBC_LEADER_BLOCK_HOOK as LEADER
from diffusers.models.cache_utils import CacheMixin

from tiomagic_local.acceleration.components import transformers

MIN_STEPS = 12
"""With fewer steps, each changes too much for the cache."""


@dataclass(slots=True)
class CacheStats:
    """Counts of the cache in one run."""

    threshold: float
    computed: int = 0
    """Calls of the transformer with all of its blocks."""
    skipped: int = 0
    """Calls with the first block only."""
    refused: str | None = None
    """Why the cache is off; None when it is on."""

    def to_dict(self) -> dict[str, Any]:
        """Return it for a job's record."""
        if self.refused is not None:
            return {"refused": self.refused}
        return {"threshold": self.threshold, "computed": self.computed, "skipped": self.skipped}


@contextlib.contextmanager
def enable_first_block_cache(
    pipeline: Any,
    threshold: float,
    steps: int,
    summed: Callable[[torch.Tensor], torch.Tensor] | None = None,
) -> Iterator[CacheStats]:
    """Add the cache to all transformers of a pipeline within the block.

    Args:
        pipeline: Loaded.
        threshold: Relative change of the first block's residual below which the other blocks are
            skipped; larger is faster and less exact.
        steps: Denoising steps of the run.
        summed: Returns the sum of a tensor over the devices that make the video together; None
            for one device.

    Yields:
        The counts; complete when the block ends.
    """
    state = CacheStats(threshold)
    parts = [part for part in transformers(pipeline).values() if isinstance(part, CacheMixin)]
    if steps < MIN_STEPS:
        state.refused = f"{steps} steps leave nothing out; it begins at {MIN_STEPS}"
    elif not parts:
        state.refused = "the transformer has no caches"
    on: list[Any] = []
    try:
        for part in parts if state.refused is None else []:
            on.append(part)
            _turn_on(part, state, summed)
    # The library's hooks raise for models whose blocks they do not know.
    except (ValueError, AttributeError, IndexError) as error:
        state.refused = f"this transformer cannot be cached ({error})"
        _turn_off(on)
        on = []
    try:
        yield state
    finally:
        _turn_off(on)


def _turn_on(part: Any, state: CacheStats, summed: Callable[[Any], Any] | None) -> None:
    part.enable_cache(FirstBlockCacheConfig(threshold=state.threshold))
    leaders = _leaders(part)
    if len(leaders) != 1:
        raise ValueError(f"{len(leaders)} of its blocks lead, not one")
    if summed is not None:
        _agree(leaders[0], state.threshold, summed)
    _count(leaders[0], state)


def _leaders(part: Any) -> list[Any]:
    found = []
    for module in part.modules():
        registry = getattr(module, "_diffusers_hook", None)
        hook = registry.get_hook(LEADER) if isinstance(registry, HookRegistry) else None
        if hook is not None:
            found.append(hook)
    return found


def _agree(leader: Any, threshold: float, summed: Callable[[Any], Any]) -> None:
    """Decide by the change of all tokens if each device has a part of them.

    Devices that decided by their own parts could differ, and would then deadlock.
    """

    def agreed(residual: torch.Tensor) -> bool:
        before = leader.state_manager.get_state().head_block_residual
        if before is None:
            return True
        sums = [part.abs().sum(dtype=torch.float32) for part in (residual - before, before)]
        change, base = summed(torch.stack(sums)).tolist()
        return bool(change > threshold * base)

    leader._should_compute_remaining_blocks = agreed  # noqa: SLF001


def _count(leader: Any, state: CacheStats) -> None:
    decide = leader._should_compute_remaining_blocks  # noqa: SLF001 - nothing else tells it.

    def counted(residual: torch.Tensor) -> bool:
        compute: bool = decide(residual)
        state.computed += compute
        state.skipped += not compute
        return compute

    leader._should_compute_remaining_blocks = counted  # noqa: SLF001


def _turn_off(parts: list[Any]) -> None:
    for part in parts:
        if part.is_cache_enabled:
            # Removes the hooks and their state, so that the next run starts fresh.
            part.disable_cache()
            continue
        # After a partial failure some blocks have hooks although the cache does not count as
        # enabled.
        registry = HookRegistry.check_if_exists_or_initialize(part)
        for name in (LEADER, FOLLOWER):
            registry.remove_hook(name, recurse=True)
        registry.invalidate_child_registries_cache()
