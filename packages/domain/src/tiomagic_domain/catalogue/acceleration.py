"""The argument ``acceleration``: the presets exact, fast and turbo, and each option by itself.

===========  ====================================================================================
word         means
===========  ====================================================================================
``exact``    only what changes nothing beyond rounding: the best exact attention, compiled blocks
             where a run is long enough to pay for them, prompts that are encoded once, the two
             passes of a guided step as one batch where they are short
``fast``     that, and a step cache, which skips most of the model in steps where little changes:
             another video of the same kind
``turbo``    a few-step LoRA, for models that have one: another video
===========  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Self

EXACT, FAST, TURBO = "exact", "fast", "turbo"

INEXACT_ATTENTION = ("sage", "sage_blackwell")
"""Kernels that compute in 8 bits or fewer, for which a call has to ask by name."""
ATTENTION_CHOICES = (
    *("auto", "native", "cudnn", "flash", "flash3", "flash4"),
    *INEXACT_ATTENTION,
)
COMPILE_CHOICES = ("auto", "on", "off")
BATCH_GUIDANCE_CHOICES = ("auto", "on", "off")

NO_CACHE, BEST_CACHE, FIRST_BLOCK = "none", "best", "first_block"
FAST_LEVELS: Final[Mapping[str, float]] = MappingProxyType(
    {"mag": 0.25, "sea": 0.6, "taylor": 6, FIRST_BLOCK: 0.14}
)
"""The step caches, the best first, each with the threshold that ``fast`` has for it; of TaylorSeer,
the interval in steps.

Each is the largest that was measured whose videos of ``doodle`` keep a median of 30 dB to the exact
ones, in 30 and in 50 steps (``benchmarks/step_caches.py``, 12 videos). MagCache leaves the most
calls out: 77 % of 30 steps, TaylorSeer 73 %, SeaCache 70 % and the first block 69 %. SeaCache comes
before TaylorSeer, which loses more and whose steps are fixed, whatever the video does."""
CACHE_CHOICES = (NO_CACHE, BEST_CACHE, *sorted(FAST_LEVELS))


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceleration:
    """The acceleration options of a run. The defaults are those of ``exact``."""

    attention: str = "auto"
    """One of ``ATTENTION_CHOICES``; ``auto`` takes the best that works on the device."""
    compile: str = "auto"
    """One of ``COMPILE_CHOICES``; ``auto`` compiles for long runs on a GPU."""
    batch_guidance: str = "auto"
    """One of ``BATCH_GUIDANCE_CHOICES``; ``auto`` makes both passes of a step together for small
    videos on a CPU. Never with a cache."""
    cache: str = NO_CACHE
    """One of ``CACHE_CHOICES``; ``best`` takes the first of ``FAST_LEVELS`` that the model can
    use."""
    cache_threshold: float = 0.0
    """0 for that of ``FAST_LEVELS``, else up to 1; more is faster and further from the exact video.
    Without a ``cache`` it turns the first-block cache on, the only one there was."""
    cache_interval: int = 0
    """For TaylorSeer: each how many steps one computes; 0 for that of ``FAST_LEVELS``."""
    remember_prompts: bool = True
    """True to keep the encoded prompt for the next run."""
    fp8: bool = False
    """True to multiply in eight bits in the transformer's blocks; inexact. In no preset: the gain
    on a GPU has not been measured."""
    few_steps: bool = False
    """True to put the model's few-step weights on it."""

    @classmethod
    def from_argument(cls, value: str | Mapping[str, Any]) -> Self:
        """Return the options of a validated argument ``acceleration``."""
        if isinstance(value, str):
            return cls(**PRESETS[value])
        return cls(**value)

    def step_caches(self) -> dict[str, float]:
        """Return the caches to try, in their order, each with its threshold or interval.

        Empty for no cache; several for ``best``.
        """
        if self.cache == BEST_CACHE:
            return dict(FAST_LEVELS)
        if self.cache == NO_CACHE:
            return {FIRST_BLOCK: self.cache_threshold} if self.cache_threshold else {}
        given = self.cache_interval if self.cache == "taylor" else self.cache_threshold
        return {self.cache: given or FAST_LEVELS[self.cache]}

    def to_dict(self) -> dict[str, Any]:
        """Return each option by its name."""
        return asdict(self)


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        EXACT: MappingProxyType({}),
        FAST: MappingProxyType({"cache": BEST_CACHE}),
        # With so few steps, successive steps differ too much for a cache.
        TURBO: MappingProxyType({"few_steps": True}),
    }
)
"""What each preset sets beyond the defaults."""


def wants_few_steps(value: object) -> bool:
    """Return True for an argument ``acceleration``, checked or not, that asks for few steps."""
    return value == TURBO or (isinstance(value, Mapping) and value.get("few_steps") is True)
