"""SeaCache: blocks are skipped while the latents change little, seen through a filter of noise.

The filter keeps the frequencies that are signal at the noise of the step, and drops the others. The
reused residual follows its own trend (``ORDER``). Needs no calibration, and reads the frames of the
latents, so it is for transformers that get them as such.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final

from diffusers import SeaCacheConfig
from diffusers.hooks.hooks import _set_cache_context
from diffusers.hooks.sea_cache import (
    _SEA_CACHE_BLOCK_HOOK,
    _SEA_CACHE_LEADER_BLOCK_HOOK,
    _SEA_CACHE_ROOT_HOOK,
)

from tiomagic_local.acceleration.step_caches.clock import Moment
from tiomagic_local.acceleration.step_caches.kinds import CacheRun, StepCache, find_leader

if TYPE_CHECKING:
    import torch

ORDER: Final = 1
"""1 to continue the trend of the last two residuals, 0 to repeat the last."""
MAX_SKIPS: Final = 5
"""Steps in a row that may be skipped."""
WARM_UP: Final = 0.1
"""Share of the first steps that always compute."""
LAST: Final = 1
"""Last steps that always compute."""
READABLE: Final = frozenset({"WanTransformer3DModel", "WanVACETransformer3DModel"})
"""Transformers whose latents are (B, C, T, h, w), those to denoise first, and whose timestep is the
share of noise: the filter is written for both."""


class Sea(StepCache):
    """The cache of diffusers, told the step by our clock."""

    hooks = (_SEA_CACHE_BLOCK_HOOK, _SEA_CACHE_LEADER_BLOCK_HOOK, _SEA_CACHE_ROOT_HOOK)

    def why_not(self, run: CacheRun, parts: Mapping[str, Any]) -> str | None:
        """Return why it does not work: other latents, or several devices."""
        if run.summed is not None:
            return "several devices would decide apart"
        others = sorted({type(part).__name__ for part in parts.values()} - READABLE)
        return f"it does not read the latents of {others[0]}" if others else None

    def turn_on(self, run: CacheRun, name: str, part: Any) -> Any:
        """Add its hooks to a transformer; return the manager of their state."""
        del name
        part.enable_cache(
            SeaCacheConfig(
                threshold=run.level,
                residual_order=ORDER,
                retention_steps=max(run.warm_up(WARM_UP), 1),
                cache_end_steps=LAST,
                max_consecutive_cached=MAX_SKIPS,
                raw_vision_callback=_latents,
            )
        )
        return find_leader(part, _SEA_CACHE_LEADER_BLOCK_HOOK).state_manager

    def did_compute(self, state: Any) -> bool:
        """Return whether the last pass ran all blocks."""
        return not state.consecutive_cached


def tell_step(part: Any, states: Any, moment: Moment, steps: int) -> None:
    """Say in the context of a pass which step it is, for hooks that read it there."""
    said = {"step_index": moment.index, "sigma": moment.noise, "num_inference_steps": steps}
    _set_cache_context(part, replace(states.context, **said))


def _latents(
    part: torch.nn.Module, given: tuple[Any, ...], named: dict[str, Any]
) -> list[torch.Tensor]:
    """Return the latents of each video that a pass denoises: (C, T, h, w)."""
    call = inspect.signature(type(part).forward).bind_partial(part, *given, **named).arguments
    latents: torch.Tensor = call["hidden_states"]
    # What follows are a picture and its mask, which never change.
    channels = part.config.out_channels  # type: ignore[union-attr]
    return list(latents[:, :channels].unbind(0))
