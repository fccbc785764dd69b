"""TaylorSeer (lite): between computed steps, the transformer's output continues its own trend.

Every few steps compute; those between skip all blocks, and the last layer's output is extrapolated
from the computed ones. The steps that compute are fixed, whatever the video does.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import torch
from diffusers import TaylorSeerCacheConfig
from diffusers.hooks._helpers import TransformerBlockRegistry
from diffusers.hooks.taylorseer_cache import _TAYLORSEER_CACHE_HOOK

from tiomagic_local.acceleration.step_caches.kinds import CacheRun, StepCache

ORDER: Final = 1
"""Of the extrapolation: 1 continues a line through the last two."""
WARM_UP: Final = 0.1
"""Share of the first steps that compute."""
FEWEST: Final = 3
"""First steps that compute at the least: a trend needs two."""
LAST_LAYER: Final = "proj_out"


class Taylor(StepCache):
    """The cache of diffusers in its lite mode, which keeps the last layer's outputs alone."""

    hooks = (_TAYLORSEER_CACHE_HOOK,)
    field = "interval"

    def why_not(self, run: CacheRun, parts: Mapping[str, Any]) -> str | None:
        """Return why it does not work: a transformer with another last layer."""
        del run
        # Its blocks give zeros when they are skipped, so nothing else may read what they give.
        strange = [part for part in parts.values() if not hasattr(part, LAST_LAYER)]
        return f"{type(strange[0]).__name__} has no layer {LAST_LAYER!r}" if strange else None

    def turn_on(self, run: CacheRun, name: str, part: Any) -> Any:
        """Add its hooks to a transformer; return the manager of their state."""
        del name
        for block in getattr(part, "blocks", getattr(part, "transformer_blocks", [])):
            # Raises for blocks that no cache knows: their output may be more than the video.
            TransformerBlockRegistry.get(type(block))
        part.enable_cache(
            TaylorSeerCacheConfig(
                cache_interval=int(run.level),
                disable_cache_before_step=max(run.warm_up(WARM_UP), FEWEST),
                max_order=ORDER,
                taylor_factors_dtype=torch.float32,
                use_lite_mode=True,
            )
        )
        registry = getattr(part, LAST_LAYER)._diffusers_hook  # noqa: SLF001 - its only name.
        return registry.get_hook(_TAYLORSEER_CACHE_HOOK).state_manager

    def did_compute(self, state: Any) -> bool:
        """Return whether the last pass ran all blocks."""
        return bool(state.last_update_step == state.current_step)

    def describe(self, level: float) -> dict[str, Any]:
        """Return its setting for a job's record."""
        return {self.field: int(level)}
