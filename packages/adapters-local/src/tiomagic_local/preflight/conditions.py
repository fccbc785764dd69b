"""The conditions of a run, from the card, the weights and the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.kv_cache import CACHE_SETTING, IN_MAIN_MEMORY, ON_DEVICE
from tiomagic_domain.catalogue.pose_parameters import FINDS_POSES
from tiomagic_domain.ports.preflight import (
    PlanNeed,
    RunConditions,
    RunDevice,
    RunTime,
    TokenState,
    WeightsOnDisk,
)
from tiomagic_domain.preflight.speeds import gpu_flops
from tiomagic_domain.quantities import GIB
from tiomagic_domain.weights.formats import QUANTIZATION, read_quantization
from tiomagic_local.footprint.estimates import MemoryEstimate, find_estimate
from tiomagic_local.footprint.sharing import count_sharing
from tiomagic_local.memory.choosing import choose_memory_plan
from tiomagic_local.memory.demand import MAIN_RESERVE_GIB, RESERVE_GIB, Demand
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.memory.quality import (
    choose_weights_and_plan,
    demand_in,
    list_allowed,
    share_of,
)
from tiomagic_local.options import LocalOptions
from tiomagic_local.preflight.machine import MachineFacts
from tiomagic_local.preflight.run_time import CORE_FLOPS, estimate_run_time
from tiomagic_local.preflight.stored_weights import StoredWeights, find_stored_weights, free_bytes
from tiomagic_local.quantized.made_cache import list_made, made_weights_folder
from tiomagic_local.torch_env.devices import group_members
from tiomagic_local.weights.given_files import find_file_sizes
from tiomagic_local.weights.hub_cache import HubCache
from tiomagic_media.pose.models import count_missing_bytes

OWN_SIZE: Final = 0.5
"""Weights of less than this part of the card's are those of a smaller model of the same kind."""
LESS_MAIN: Final = 'memory="disk_offload" leaves them in their files, and takes less'
OFFLINE_VARIABLES: Final = ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")
OFFLINE: Final = "HF_HUB_OFFLINE is set: unset it"
HUB_VARIABLES: Final = ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """The weights of a run, in the types that it runs in on a GPU."""

    weights_gib: float
    transformer_gib: float
    largest_gib: float
    is_smaller: bool
    """True for weights on the disk that are much smaller than the card's."""


def look_ahead(
    card: ModelCard, settings: Mapping[str, Any], options: LocalOptions, machine: MachineFacts
) -> RunConditions:
    """Return what a run meets on a machine, and what it needs.

    Args:
        card: The model.
        settings: Of the run.
        options: Where weights come from, and the device.
        machine: The facts of the machine.

    Raises:
        ConfigurationError: when a given folder does not exist, or the device is no device.
    """
    card = card.at(settings.get("revisions") or {})
    stored = find_stored_weights(card, options, settings)
    device = run_device(options.device, machine)
    needs = _needs_of(card, stored)
    known = find_estimate(card.name)
    chosen_by_hand = options.model_path is not None and stored.on_disk.fetch_bytes > 0
    weights = _with_estimator(stored.on_disk) if settings.get(FINDS_POSES) else stored.on_disk
    made = _count_bytes_to_make(
        card, settings, options, needs=needs, stored=stored, device=device, machine=machine
    )
    weights = replace(weights, made_bytes=made)
    return RunConditions(
        device=device,
        weights=replace(weights, blocked=OFFLINE) if is_offline() else weights,
        plans=_plans(card, settings, needs, device, options, machine),
        main_memory_gib=machine.main_gib,
        free_main_memory_gib=machine.free_main_gib,
        is_certain=(known is not None and not chosen_by_hand) or needs.is_smaller,
        time=_time(card, settings, needs, device, machine),
        tokens=(_hub_token(card, stored, options),),
        place="this machine",
    )


def _with_estimator(weights: WeightsOnDisk) -> WeightsOnDisk:
    """Return the weights of a run with the pose estimator, if that is to be downloaded."""
    missing = count_missing_bytes()
    if not missing:
        return weights
    if not weights.fetch_bytes:
        # It lies in the cache of the hub, wherever the model is.
        cache = HubCache.of_client()
        if cache is not None:
            place, free = str(cache.root), free_bytes(cache.root)
            weights = replace(weights, place=place, disk_free_bytes=free)
    return replace(
        weights,
        total_bytes=weights.total_bytes + missing,
        other_fetches={"the pose estimator": missing},
    )


def run_device(wanted: str | None, machine: MachineFacts) -> RunDevice:
    """Return the device that a run would use; the same that torch would choose.

    Args:
        wanted: The configured device; None for the best one.
        machine: The facts of the machine.

    Raises:
        ConfigurationError: when it is written as a group that cannot be.
    """
    first = (group_members(wanted) or (wanted,))[0]
    kind, _, number = (first or "").partition(":")
    if kind == "cpu" or (first is None and not _has_gpu(machine)):
        return RunDevice(name="cpu", is_cpu=True)
    if kind == "mps" or (first is None and machine.has_mps):
        return RunDevice(name="mps", memory_gib=machine.main_gib, free_gib=machine.free_main_gib)
    index = int(number) if number.isdecimal() else 0
    name = f"cuda:{index}" if kind in {"", "cuda"} else str(first)
    if kind not in {"", "cuda"} or index >= len(machine.gpus):
        # Another kind of device, or one that is not there: the run itself says so.
        return RunDevice(name=name)
    gpu = machine.gpus[index]
    kinds = {one.title for one in machine.gpus}
    if len(kinds) > 1 and os.environ.get("CUDA_DEVICE_ORDER") != "PCI_BUS_ID":
        # CUDA counts the fastest first, the driver by slot: which one it is, is not known here.
        gpu = max(machine.gpus, key=lambda one: one.memory_gib)
    return RunDevice(name=name, title=gpu.title, memory_gib=gpu.memory_gib, free_gib=gpu.free_gib)


def _has_gpu(machine: MachineFacts) -> bool:
    return bool(machine.gpus) or machine.has_other_gpu or machine.has_mps


def _needs_of(card: ModelCard, stored: StoredWeights) -> _Needs:
    on_disk = {name: size / GIB for name, size in stored.component_bytes.items()}
    total = sum(on_disk.values())
    if on_disk and total < OWN_SIZE * card.weights_gib:
        return _Needs(
            weights_gib=total,
            transformer_gib=max(
                (gib for name, gib in on_disk.items() if name.startswith("transformer")),
                default=total,
            ),
            largest_gib=max(on_disk.values()),
            is_smaller=True,
        )
    known = find_estimate(card.name)
    return _Needs(
        weights_gib=card.weights_gib,
        transformer_gib=_transformer_gib(card, known),
        largest_gib=card.largest_gib,
        is_smaller=False,
    )


def _transformer_gib(card: ModelCard, known: MemoryEstimate | None) -> float:
    return card.largest_gib if known is None else known.weights.get("transformer", card.largest_gib)


def _plans(
    card: ModelCard,
    settings: Mapping[str, Any],
    needs: _Needs,
    device: RunDevice,
    options: LocalOptions,
    machine: MachineFacts,
) -> tuple[PlanNeed, ...]:
    """Return the memory plans that a run may take, the fastest first; for each of a group."""
    sizes = find_file_sizes(card, settings, options)
    if device.is_cpu:
        main = _gib_on_a_cpu(card, settings, needs, sizes)
        return (PlanNeed(plan=MemoryPlan.RESIDENT.value, device_gib=main, main_gib=main),)
    wanted = str(settings.get("memory") or "auto")
    if device.name == "mps":
        wanted = MemoryPlan.RESIDENT.value
    sharing = count_sharing(card.name, len(group_members(options.device)))
    formats = _formats_of(card, settings, device, sizes, machine=machine, sharing=sharing)
    demand = replace(demand_in(card, settings, formats, sizes), devices=sharing)
    cache = _cache_place(demand, settings)
    straight = device.name in {"cuda", "cuda:0"}
    return tuple(
        PlanNeed(
            plan=plan.value,
            device_gib=needs.largest_gib + RESERVE_GIB
            if needs.is_smaller
            else min(demand.gib(plan, tiles=tiles, cache=cache) for tiles in (False, True)),
            main_gib=needs.weights_gib
            if needs.is_smaller
            else MAIN_RESERVE_GIB + demand.main_gib(plan, cache=cache, straight=straight),
            smaller="" if plan in {MemoryPlan.RESIDENT, MemoryPlan.DISK_OFFLOAD} else LESS_MAIN,
            reads_disk=plan is MemoryPlan.DISK_OFFLOAD,
        )
        for plan in MemoryPlan
        if wanted in {"auto", plan.value}
    )


def _gib_on_a_cpu(
    card: ModelCard, settings: Mapping[str, Any], needs: _Needs, sizes: Mapping[str, float]
) -> float:
    """Return the weights in the memory of a CPU: in fp32, but for a card that names its own type.

    What is in fewer bits stays so.
    """
    factor = 1 if "dtype" in card.options else 2
    formats = read_quantization(settings.get(QUANTIZATION))
    if needs.is_smaller or not (formats or sizes):
        return needs.weights_gib * factor
    full = demand_in(card, settings, {}, {}).model.weights
    stored = demand_in(card, settings, formats, sizes).model.weights
    return sum(gib * (factor if gib == full.get(name) else 1) for name, gib in stored.items())


def _formats_of(
    card: ModelCard,
    settings: Mapping[str, Any],
    device: RunDevice,
    sizes: Mapping[str, float],
    *,
    machine: MachineFacts,
    sharing: int,
) -> Mapping[str, str]:
    """Return the formats that a run takes: those of the call, or what ``quality`` allows it."""
    asked = read_quantization(settings.get(QUANTIZATION))
    allowed = list_allowed(settings, device.name, device.free_gib)
    if asked or not allowed:
        return asked
    choose = partial(
        choose_memory_plan,
        device=device.name,
        free_gib=device.free_gib,
        cache=str(settings.get(CACHE_SETTING) or "auto"),
        # As the run counts: without swap, and each process of a group has its share.
        main_gib=None if machine.unswapped_gib is None else machine.unswapped_gib / sharing,
        devices=sharing,
    )
    choice = choose_weights_and_plan(card, settings, choose, files=sizes, allowed=allowed)
    return choice.quantization


def _count_bytes_to_make(
    card: ModelCard,
    settings: Mapping[str, Any],
    options: LocalOptions,
    *,
    needs: _Needs,
    stored: StoredWeights,
    device: RunDevice,
    machine: MachineFacts,
) -> int:
    """Return the bytes of the weights in fewer bits that a run has to make first."""
    files = find_file_sizes(card, settings, options)
    formats = read_quantization(settings.get(QUANTIZATION))
    if not device.is_cpu:
        sharing = count_sharing(card.name, len(group_members(options.device)))
        formats = dict(_formats_of(card, settings, device, files, machine=machine, sharing=sharing))
    if not formats:
        return 0
    full = {
        name: gib * GIB for name, gib in demand_in(card, settings, {}, {}).model.weights.items()
    }
    if needs.is_smaller:
        full = dict(stored.component_bytes)
    made = {(one.source, one.format) for one in list_made(made_weights_folder())}
    sources = {*card.repositories, Path(stored.on_disk.place).name}
    return round(
        sum(
            size * share_of(card.name, name, format_)
            for group, format_ in formats.items()
            for name, size in full.items()
            if name.startswith(group)
            and name not in files
            and not any((f"{source}/{name}", format_) in made for source in sources)
        )
    )


def _cache_place(demand: Demand, settings: Mapping[str, Any]) -> str:
    """Return where the KV cache waits in the smallest of the plans that a run may take."""
    asked = str(settings.get(CACHE_SETTING) or "auto")
    return ON_DEVICE if asked == ON_DEVICE or not demand.cache_gib else IN_MAIN_MEMORY


def _time(
    card: ModelCard,
    settings: Mapping[str, Any],
    needs: _Needs,
    device: RunDevice,
    machine: MachineFacts,
) -> RunTime | None:
    flops = machine.cores * CORE_FLOPS if device.is_cpu else gpu_flops(device.title)
    cores = "1 CPU core" if machine.cores == 1 else f"{machine.cores} CPU cores"
    chip = cores if device.is_cpu else device.title
    # Two bytes a parameter; a small model on the disk may have four, which is too much at most.
    parameters = needs.transformer_gib * GIB / 2
    return estimate_run_time(
        card,
        settings,
        parameters=parameters,
        weights_gib=needs.weights_gib,
        flops=flops,
        chip=chip,
    )


def _hub_token(card: ModelCard, stored: StoredWeights, options: LocalOptions) -> TokenState:
    is_there = bool(options.hf_token) or has_hub_token()
    why = "Accept the licence on the model's page, then set HF_TOKEN"
    needed = card.gated and stored.on_disk.fetch_bytes > 0
    return TokenState(
        service="Hugging Face", is_needed=needed, is_there=is_there, why=why if needed else ""
    )


def is_offline() -> bool:
    """Say whether the environment switches downloads off, as the hub's own library reads it."""
    given = (os.environ.get(name, "") for name in OFFLINE_VARIABLES)
    return any(value.upper() in {"1", "ON", "YES", "TRUE"} for value in given)


def has_hub_token() -> bool:
    """Say whether the environment or the hub's own tools have a token; its value is not used."""
    if any(os.environ.get(name) for name in HUB_VARIABLES):
        return True
    from huggingface_hub import constants

    try:
        return Path(constants.HF_TOKEN_PATH).stat().st_size > 0
    except OSError:
        return False
