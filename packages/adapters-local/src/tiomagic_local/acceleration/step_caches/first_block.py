"""First-block cache: the other blocks are skipped in steps where the first one changes little.

The first block always runs. If its residual differs from the last computed step's by less than the
threshold, the other blocks' residual of that step is reused. Needs no calibration.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import torch
from diffusers import FirstBlockCacheConfig
from diffusers.hooks.first_block_cache import _FBC_BLOCK_HOOK, _FBC_LEADER_BLOCK_HOOK

from tiomagic_local.acceleration.step_caches.kinds import CacheRun, StepCache, find_leader

WARM_UP: Final = 0.1
"""Share of the first steps that always compute: they decide what the video shows."""


class FirstBlock(StepCache):
    """The cache of diffusers, which decides together where several devices share the tokens."""

    hooks = (_FBC_LEADER_BLOCK_HOOK, _FBC_BLOCK_HOOK)

    def turn_on(self, run: CacheRun, name: str, part: Any) -> Any:
        """Add its hooks to a transformer; return the state of its passes."""
        del name
        part.enable_cache(FirstBlockCacheConfig(threshold=run.level))
        leader = find_leader(part, _FBC_LEADER_BLOCK_HOOK)
        if run.summed is not None:
            _agree(leader, run.level, run.summed)
        _warm_up(leader, run)
        return leader.state_manager

    def did_compute(self, state: Any) -> bool:
        """Return whether the last pass ran all blocks."""
        return bool(state.should_compute)


def _warm_up(leader: Any, run: CacheRun) -> None:
    decide = leader._should_compute_remaining_blocks  # noqa: SLF001 - the only place to ask.
    first = run.warm_up(WARM_UP)

    def after_warm_up(residual: torch.Tensor) -> bool:
        step = run.clock.moment(leader.state_manager.context.name).index
        return step < first or bool(decide(residual))

    leader._should_compute_remaining_blocks = after_warm_up  # noqa: SLF001


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
