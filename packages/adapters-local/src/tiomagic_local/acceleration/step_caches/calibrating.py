"""Measures the calibration of a model for MagCache: the size of its blocks' residual by the noise.

The model makes a few videos with all blocks. For each pass, the size of the residual (what all
blocks add) is compared with the step before, token by token, as the authors of MagCache do; the
logarithms are added up along the noise, and the mean of all passes and videos is kept.
"""

from __future__ import annotations

import contextlib
import itertools
import math
import statistics
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from diffusers import MagCacheConfig
from diffusers.hooks.mag_cache import _MAG_CACHE_BLOCK_HOOK, _MAG_CACHE_LEADER_BLOCK_HOOK

from tiomagic_local.acceleration.step_caches.activate import cacheable
from tiomagic_local.acceleration.step_caches.clock import StepClock, read_noise
from tiomagic_local.acceleration.step_caches.kinds import find_leader
from tiomagic_local.acceleration.step_caches.magnitudes import MagnitudeCurve
from tiomagic_local.acceleration.step_caches.vace_hints import add_hints_inside

TINY = 1e-8
"""Added to a size before it divides."""
ENDLESS = 2**31
"""Steps after which the hook would forget what it has."""

Walk = list[tuple[float, float]]
"""The noise of each step of one pass, and the logarithm of its size as a multiple of the first."""


@dataclass(slots=True)
class Measured:
    """The walks of all passes of all videos, by the name of the transformer."""

    walks: dict[str, list[Walk]] = field(default_factory=lambda: defaultdict(list))

    def curves(self) -> dict[str, MagnitudeCurve]:
        """Return the mean of the walks of each transformer.

        Raises:
            ValueError: when a transformer made fewer than two steps.
        """
        return {name: _mean(walks) for name, walks in self.walks.items()}

    def spread(self) -> float:
        """Return how far single steps are from the mean: standard deviation of their ratios."""
        steps: dict[tuple[str, float], list[float]] = defaultdict(list)
        for name, walks in self.walks.items():
            for walk in walks:
                for (_, before), (noise, now) in itertools.pairwise(walk):
                    steps[name, noise].append(math.exp(now - before))
        return max(statistics.pstdev(one) for one in steps.values())


@contextlib.contextmanager
def measure_magnitudes(pipeline: Any, found: Measured) -> Iterator[None]:
    """Take the sizes of one video, which is made within the block.

    Args:
        pipeline: Loaded, without a cache.
        found: Gets them.

    Raises:
        ValueError, AttributeError, IndexError: when the library does not know its blocks.
    """
    clock = StepClock()
    parts = cacheable(pipeline)
    with contextlib.ExitStack() as stack:
        for name, part in parts.items():
            stack.enter_context(add_hints_inside(part))
            stack.enter_context(_measured(part, clock, found.walks[name]))
        yield


@contextlib.contextmanager
def _measured(part: Any, clock: StepClock, walks: list[Walk]) -> Iterator[None]:
    part.enable_cache(MagCacheConfig(calibrate=True, num_inference_steps=ENDLESS))
    try:
        states = find_leader(part, _MAG_CACHE_LEADER_BLOCK_HOOK).state_manager
        tail = next(
            hook
            for module in part.modules()
            if (hook := _hook(module, _MAG_CACHE_BLOCK_HOOK)) is not None and hook.is_tail
        )
        open_: dict[str, Walk] = {}

        def take(state: Any, residual: torch.Tensor) -> None:
            name = states.context.name
            moment = clock.moment(name)
            before = state.previous_residual
            if moment.begins or before is None or name not in open_:
                open_[name] = [(moment.noise, 0.0)]
                walks.append(open_[name])
                return
            ratio = (_sizes(residual) / (_sizes(before) + TINY)).mean().item()
            open_[name].append((moment.noise, open_[name][-1][1] + math.log(ratio)))

        # In place of the hook's own, which keeps a list without noise and prints it.
        tail._perform_calibration_step = take  # noqa: SLF001

        def before(_part: Any, given: tuple[Any, ...], named: dict[str, Any]) -> None:
            clock.advance(states.context.name, read_noise(part, given, named))

        handle = part.register_forward_pre_hook(before, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()
    finally:
        part.disable_cache()


def _hook(module: torch.nn.Module, name: str) -> Any:
    registry = getattr(module, "_diffusers_hook", None)
    return registry.get_hook(name) if registry is not None else None


def _sizes(residual: torch.Tensor) -> torch.Tensor:
    sizes: torch.Tensor = torch.linalg.vector_norm(residual.float(), dim=-1)
    return sizes


def _mean(walks: list[Walk]) -> MagnitudeCurve:
    sizes: Mapping[float, list[float]] = defaultdict(list)
    for walk in walks:
        for noise, size in walk:
            sizes[noise].append(size)
    levels = sorted(sizes)
    if len(levels) < 2:
        raise ValueError("it made fewer than two steps")
    return MagnitudeCurve(tuple(levels), tuple(statistics.fmean(sizes[noise]) for noise in levels))
