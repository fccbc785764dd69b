"""Measures what memory is free, on the device and of the machine, and chooses the plan of a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.kv_cache import CACHE_SETTING
from tiomagic_local.memory.choosing import MemoryChoice, choose_memory_plan
from tiomagic_local.memory.plans import WAITING, MemoryPlan
from tiomagic_local.memory.quality import choose_weights_and_plan, demand_in, list_allowed
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.component_reuse import lying_on
from tiomagic_local.torch_env.main_memory import free_main_memory_gib
from tiomagic_local.weights.given_files import find_file_sizes

if TYPE_CHECKING:
    import torch

VAE_TILES_SETTING = "vae_tiles"
"""A setting of a retry: true to force a VAE in tiles."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldWeights:
    """What of a model is in memory already, and would be counted against itself."""

    parts: Mapping[str, torch.nn.Module] = field(default_factory=dict)
    """Components of the model before that are its own as well."""
    plan: MemoryPlan | None = None
    """The plan that the model is loaded with; None for a model that is not."""
    quantization: Mapping[str, str] = field(default_factory=dict)
    """The formats that it is loaded in."""


def choose_by_free_memory(
    card: ModelCard,
    settings: Mapping[str, Any],
    device: torch.device,
    options: LocalOptions,
    *,
    held: HeldWeights,
    ranks: int = 1,
    devices: int = 1,
) -> MemoryChoice:
    """Return the plan and the formats of a run on this machine, as it is now.

    Args:
        card: The model.
        settings: Of the generation.
        device: Where it runs.
        options: With the source of weights.
        held: What is in memory already.
        ranks: Processes that share the main memory that is free now.
        devices: How many make the video together, and share its tokens.
    """
    import torch

    from tiomagic_local.torch_env.devices import free_memory_gib

    free, main = free_memory_gib(device), free_main_memory_gib()
    files = find_file_sizes(card, settings, options)
    loaded = 0.0
    if held.plan is not None:
        loaded = demand_in(card, settings, held.quantization, files).model.weights_gib
    if free is not None:
        on_device = held.plan is MemoryPlan.RESIDENT
        free += lying_on(held.parts, device) + (loaded if on_device else 0.0)
    if main is not None:
        waits = loaded if held.plan in WAITING else 0.0
        main = (main + lying_on(held.parts, torch.device("cpu"))) / ranks + waits
    choose = partial(
        choose_memory_plan,
        device=str(device),
        free_gib=free,
        wanted=str(settings.get("memory", "auto")),
        tiles=bool(settings.get(VAE_TILES_SETTING, False)),
        cache=str(settings.get(CACHE_SETTING, "auto")),
        main_gib=main,
        devices=devices,
    )
    allowed = list_allowed(settings, str(device), free)
    return choose_weights_and_plan(card, settings, choose, files=files, allowed=allowed)


def settings_for_ranks(settings: Mapping[str, Any], choice: MemoryChoice) -> Mapping[str, Any]:
    """Return the settings for the other devices of a group, which share one main memory."""
    if choice.plan is not MemoryPlan.DISK_OFFLOAD:
        return settings
    return {**settings, "memory": choice.plan.value}
