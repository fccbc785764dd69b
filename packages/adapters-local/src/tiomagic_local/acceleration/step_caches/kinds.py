"""What a step cache is to a run: how it is turned on, what it needs, and what it did."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from diffusers.hooks import HookRegistry

from tiomagic_local.acceleration.step_caches.clock import StepClock

if TYPE_CHECKING:
    import torch

    from tiomagic_local.acceleration.step_caches.magnitudes import MagnitudeCurve


@dataclass(slots=True, kw_only=True)
class CacheRun:
    """What a cache knows of the run that it serves."""

    level: float
    """Its threshold; of TaylorSeer the interval in steps."""
    steps: int
    """Denoising steps."""
    clock: StepClock
    summed: Callable[[torch.Tensor], torch.Tensor] | None = None
    """Returns the sum of a tensor over the devices that make the video together; None for one
    device."""
    adapted: bool = False
    """True when the call has LoRAs of its own."""
    curves: Mapping[str, MagnitudeCurve] = field(default_factory=dict)
    """The calibration of the model, by the name of the transformer; empty for none."""
    model: str = ""
    """Its name."""

    def warm_up(self, share: float) -> int:
        """Return how many steps are a share of all, rounded."""
        return int(share * self.steps + 0.5)


class StepCache(ABC):
    """A step cache. The library's hooks do the work; this says where and with what."""

    hooks: ClassVar[tuple[str, ...]]
    """The names of its hooks."""
    field: ClassVar[str] = "threshold"
    """What its level is called in the record."""

    def why_not(self, run: CacheRun, parts: Mapping[str, Any]) -> str | None:
        """Return why it does not work for these transformers in this run; None when it does."""
        del run, parts
        return None

    @abstractmethod
    def turn_on(self, run: CacheRun, name: str, part: Any) -> Any:
        """Add its hooks to a transformer; return the manager of their state.

        Raises:
            ValueError, AttributeError, IndexError: when the library does not know its blocks.
        """

    @abstractmethod
    def did_compute(self, state: Any) -> bool:
        """Return whether the last pass ran all blocks."""

    def describe(self, level: float) -> dict[str, Any]:
        """Return its setting for a job's record."""
        return {self.field: level}


def find_leader(part: Any, name: str) -> Any:
    """Return the hook of a name, of which a transformer must have exactly one.

    Raises:
        ValueError: when it has none or several.
    """
    found = []
    for module in part.modules():
        registry = getattr(module, "_diffusers_hook", None)
        hook = registry.get_hook(name) if isinstance(registry, HookRegistry) else None
        if hook is not None:
            found.append(hook)
    if len(found) != 1:
        raise ValueError(f"{len(found)} of its blocks lead, not one")
    return found[0]
