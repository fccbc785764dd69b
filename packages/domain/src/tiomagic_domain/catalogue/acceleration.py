"""The argument ``acceleration``: the presets exact, fast and turbo, and each option by itself.

===========  ====================================================================================
word         means
===========  ====================================================================================
``exact``    only what changes nothing beyond rounding: the best exact attention, compiled blocks
             where a run is long enough to pay for them, prompts that are encoded once, the two
             passes of a guided step as one batch where they are short
``fast``     that, and a first-block cache, which skips most of the model where little changes
             between two steps: another video of the same kind
``turbo``    a few-step LoRA, for models that have one: another video
===========  ====================================================================================
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Final, Self

EXACT, FAST, TURBO = "exact", "fast", "turbo"

ATTENTION_CHOICES = ("auto", "native", "cudnn", "flash", "flash3")
"""Exact ones only."""
COMPILE_CHOICES = ("auto", "on", "off")
BATCH_GUIDANCE_CHOICES = ("auto", "on", "off")

FAST_THRESHOLD = 0.06
"""Relative change of the first block between two steps below which the others are left out.

The largest value at which the shipped model's videos keep a median of 30 dB to the exact ones
(``benchmarks/accelerations.py``, 8 prompts: in 30 steps 52 % of the calls left out and 30.4 dB, in
50 steps 65 % and 30.1 dB). diffusers' own default is 0.05."""


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
    cache_threshold: float = 0.0
    """0 for no cache, else 0.01 to 1; more is faster and further from the exact video."""
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

    def to_dict(self) -> dict[str, Any]:
        """Return each option by its name."""
        return asdict(self)


PRESETS: Final[Mapping[str, Mapping[str, Any]]] = MappingProxyType(
    {
        EXACT: MappingProxyType({}),
        FAST: MappingProxyType({"cache_threshold": FAST_THRESHOLD}),
        # With so few steps, successive steps differ too much for a cache.
        TURBO: MappingProxyType({"few_steps": True}),
    }
)
"""What each preset sets beyond the defaults."""


def wants_few_steps(value: object) -> bool:
    """Return True for an argument ``acceleration``, checked or not, that asks for few steps."""
    return value == TURBO or (isinstance(value, Mapping) and value.get("few_steps") is True)
