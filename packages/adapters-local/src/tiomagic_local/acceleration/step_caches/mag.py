"""MagCache: blocks are skipped while the size of what they add is known to change little.

How the size of the blocks' residual goes from one noise level to the next is nearly the same for
every prompt. It is measured once for a model (``magnitudes``), and a run adds up how far the reused
residual is off, without a look at any tensor.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from diffusers import MagCacheConfig
from diffusers.hooks.mag_cache import _MAG_CACHE_BLOCK_HOOK, _MAG_CACHE_LEADER_BLOCK_HOOK

from tiomagic_local.acceleration.step_caches.clock import StepClock
from tiomagic_local.acceleration.step_caches.kinds import CacheRun, StepCache, find_leader
from tiomagic_local.acceleration.step_caches.magnitudes import MagnitudeCurve

MAX_SKIPS: Final = 9
"""Steps in a row that may be skipped."""
RETENTION: Final = 0.1
"""Share of the first steps that is never skipped: they decide what the video shows."""
COMMAND: Final = "python -m tiomagic_local.calibrate"
"""Calibrates a model; its argument is the model's name."""
FIRST: Final = "transformer"
"""The one that makes the first steps."""


class Mag(StepCache):
    """The cache of diffusers, with ratios of noise levels in place of a list of steps.

    A list belongs to one number of steps and one schedule; the curve serves all, and the second
    expert of a pair, whose first step is not the run's.
    """

    hooks = (_MAG_CACHE_LEADER_BLOCK_HOOK, _MAG_CACHE_BLOCK_HOOK)

    def why_not(self, run: CacheRun, parts: Mapping[str, Any]) -> str | None:
        """Return why it does not work: no calibration, or one of another model."""
        if run.adapted:
            return "the model is calibrated without LoRAs"
        missing = [name for name in parts if name not in run.curves]
        return describe_missing(run.model) if missing else None

    def turn_on(self, run: CacheRun, name: str, part: Any) -> Any:
        """Add its hooks to a transformer; return the manager of their state."""
        config = MagCacheConfig(
            threshold=run.level, max_skip_steps=MAX_SKIPS, mag_ratios=torch.ones(1)
        )
        config.num_inference_steps = run.steps
        config.retention_ratio = RETENTION if name == FIRST else 0.0
        part.enable_cache(config)
        states = find_leader(part, _MAG_CACHE_LEADER_BLOCK_HOOK).state_manager
        # The hook asks for the ratio of a step; it gets that of the noise levels around it.
        config.mag_ratios = _Ratios(run.curves[name], run.clock, states)
        return states

    def did_compute(self, state: Any) -> bool:
        """Return whether the last pass ran all blocks."""
        return bool(state.should_compute)


def describe_missing(model: str) -> str:
    """Return why a model without a calibration cannot have this cache, and what makes one."""
    return f"the model is not calibrated; {COMMAND} {model} does it, once"


class _Ratios:
    """Stands where the hook has its list of ratios."""

    def __init__(self, curve: MagnitudeCurve, clock: StepClock, states: Any) -> None:
        self._curve, self._clock, self._states = curve, clock, states

    def __len__(self) -> int:
        # The hook takes 1 beyond the end of its list, and this one has no end.
        return 2**31

    def __getitem__(self, _step: int) -> float:
        now = self._clock.moment(self._states.context.name)
        return self._curve.ratio(now.before, now.noise)
