"""Checks that the device and the main memory are large enough for a real run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.kv_cache import IN_MAIN_MEMORY
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_local.memory.choosing import MemoryChoice, choose_memory_plan
from tiomagic_local.memory.demand import RESERVE_GIB, Demand
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.memory.quality import choose_weights_and_plan, demand_in, list_allowed
from tiomagic_local.torch_env.devices import free_memory_gib
from tiomagic_local.torch_env.main_memory import free_main_memory_gib

MEMORY = "memory"


def defaults_of(card: ModelCard, feature: Feature) -> dict[str, Any]:
    """Return the default settings of a call; without a size if the picture decides it."""
    return {
        parameter.name: parameter.default
        for parameter in card.schema(feature).parameters
        if parameter.default is not UNSET and parameter.default is not None
    }


class MemoryChecks:
    """Compares the memory for a model's defaults with a device.

    Args:
        card: The model.
        feature: Of the call.
        device: A torch device.
        halves: True for 16-bit weights.
        settings: Of the run that is meant, beside the model's defaults.
        files: GiB of components that come from a file.
    """

    def __init__(
        self,
        card: ModelCard,
        feature: Feature,
        device: Any,
        *,
        halves: bool,
        settings: Mapping[str, Any] | None = None,
        files: Mapping[str, float] | None = None,
    ) -> None:
        self._card, self._device, self._halves = card, device, halves
        asked = {**defaults_of(card, feature), **(settings or {})}
        sizes = files or {}
        self._free = free_memory_gib(device)
        choose = partial(
            choose_memory_plan,
            device=str(device),
            free_gib=self._free,
            wanted=str(asked.get("memory", "auto")),
            main_gib=free_main_memory_gib(),
        )
        self.choice: MemoryChoice = choose_weights_and_plan(
            card,
            asked,
            choose,
            files=sizes,
            allowed=list_allowed(asked, str(device), self._free),
        )
        self._demand: Demand = demand_in(card, asked, self.choice.quantization, sizes)

    @property
    def weights_gib(self) -> float:
        """GiB of all weights in their type here."""
        gib = self._demand.model.weights_gib
        # Counted in 16 bits; the networks that stay in fp32 are small.
        return gib if self._halves or not self._card.gpu_memory_gib else 2 * gib

    @property
    def main_gib(self) -> float:
        """GiB of offloaded weights in main memory."""
        if self._device.type == "cpu":
            held = max(self._demand.activations(tiles=self.choice.tiles).values())
            return self.weights_gib + held * (1 if self._halves else 2)
        return self._demand.main_gib(self.choice.plan, cache=self.choice.cache)

    def needs(self) -> dict[str, Any]:
        """Return the demand of a real run."""
        found: dict[str, Any] = {"memory_gib": round(self.main_gib, 1)}
        if self._device.type == "cuda":
            choice = self.choice
            gib = self._demand.gib(choice.plan, tiles=choice.tiles, cache=choice.cache)
            found |= {"gpu_memory_gib": round(gib, 1), "plan": self.choice.plan.value}
        return found

    def checks(self) -> Iterator[Check]:
        """Yield the findings."""
        if self._device.type == "cuda":
            yield self._on_the_gpu()
        elif self._card.gpu_memory_gib:
            least = self._demand.gib(MemoryPlan.GROUP_OFFLOAD, tiles=True, cache=IN_MAIN_MEMORY)
            text = (
                f"there is no CUDA GPU here. On one it would take {least:.1f} GiB at the least, "
                f"and {self._demand.gib(MemoryPlan.RESIDENT):.1f} GiB with all weights on it"
            )
            yield Check(part="gpu", outcome=CheckOutcome.WARNING, message=text)
        yield self._in_main_memory()

    def _on_the_gpu(self) -> Check:
        choice = self.choice
        tiles = "; the VAE works in tiles" if choice.tiles else ""
        text = f"{choice.plan}: {choice.reason}{tiles}"
        fits = choice.estimated_gib is not None or self._free is None
        if fits:
            return Check(part="gpu", outcome=CheckOutcome.OK, message=text)
        text += (
            ". That is less than the model's defaults take; ask for fewer frames or a smaller size"
        )
        return Check(part="gpu", outcome=CheckOutcome.PROBLEM, message=text)

    def _in_main_memory(self) -> Check:
        free = free_main_memory_gib()
        text = f"{self.main_gib:.1f} GiB of main memory are needed"
        if free is None:
            return Check(
                part=MEMORY, outcome=CheckOutcome.NOTE, message=f"{text}; what is free is unknown"
            )
        text = f"{text}, {free:.1f} GiB are free"
        if self.main_gib + RESERVE_GIB <= free or self.main_gib < 1 <= free:
            return Check(part=MEMORY, outcome=CheckOutcome.OK, message=text)
        # A warning only: weights that are mapped from the disk may still work, slowly.
        outcome = CheckOutcome.PROBLEM if self._device.type == "cpu" else CheckOutcome.WARNING
        return Check(part=MEMORY, outcome=outcome, message=text)
