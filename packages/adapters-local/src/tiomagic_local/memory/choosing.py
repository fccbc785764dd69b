"""Chooses the memory plan by the memory of the device and of the machine. Pure, without torch.

A transformer that keeps keys and values from one pass for all steps (a KV cache) can have them on
the device or in main memory, whatever the plan. The numbers are the same; a step then brings each
layer's part, which takes about as long as bringing the weights of the layers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from tiomagic_domain.catalogue.kv_cache import (
    CACHE_SETTING,
    IN_MAIN_MEMORY,
    ON_DEVICE,
)
from tiomagic_local.memory.demand import MAIN_RESERVE_GIB, Demand
from tiomagic_local.memory.plans import MemoryPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryChoice:
    """A plan and why it was taken."""

    plan: MemoryPlan
    reason: str
    fallback_plan: MemoryPlan | None = None
    """The plan for a retry if the memory is not enough; None when the user or the device leaves no
    choice."""

    estimated_gib: float | None = None
    """The expected device memory of the run; None without an estimate."""

    tiles: bool = False
    """True where the VAE works in tiles, because a whole frame does not fit."""

    cache: str | None = None
    """Where the KV cache waits, ``gpu`` or ``ram``; None for a model without one, and where all
    memory is one."""

    quantization: Mapping[str, str] = field(default_factory=dict)
    """The format of each group of components that is kept in fewer bits."""

    def to_dict(self) -> dict[str, Any]:
        """Return the choice for a job's record."""
        described: dict[str, Any] = {"plan": self.plan.value, "reason": self.reason}
        if self.estimated_gib is not None:
            described["estimated_gib"] = round(self.estimated_gib, 1)
        if self.tiles:
            described["decoding"] = "tiles"
        if self.cache is not None:
            described[CACHE_SETTING] = self.cache
        return described


def choose_memory_plan(
    demand: Demand,
    *,
    device: str,
    free_gib: float | None,
    wanted: str = "auto",
    tiles: bool = False,
    cache: str = "auto",
    main_gib: float | None = None,
    devices: int = 1,
) -> MemoryChoice:
    """Return the fastest plan that fits, or the one that the user wants.

    A VAE works on whole frames if any plan has room for it, because tiles change pixels at their
    seams. Weights stay in their files only where main memory has no room for them.

    Args:
        demand: Of the generation.
        device: ``cuda``, ``mps`` or ``cpu``, with or without a number.
        free_gib: Free memory of the device; None when unknown.
        wanted: A plan's name, or ``auto``.
        tiles: True to have the VAE work in tiles whatever fits.
        cache: The setting ``kv_cache`` of the call.
        main_gib: Free main memory, without swap; None when unknown, which counts as enough.
        devices: How many like it make the video together.
    """
    demand = replace(demand, devices=devices)
    if device.partition(":")[0] == "cpu":
        asked = "" if wanted in {"auto", MemoryPlan.RESIDENT} else f"; {wanted} has no meaning here"
        reason = f"a CPU has all weights in its memory{asked}"
        return MemoryChoice(plan=MemoryPlan.RESIDENT, reason=reason, tiles=tiles)
    places = _cache_places(demand, cache)
    if wanted != "auto":
        return _asked(demand, MemoryPlan(wanted), free_gib, tiles=tiles, places=places)
    if device.partition(":")[0] == "mps":
        reason = "the device shares its memory with the CPU"
        return MemoryChoice(plan=MemoryPlan.RESIDENT, reason=reason, tiles=tiles)
    if free_gib is None:
        reason = "the free memory is not known"
        ways = _ways(demand, places, main_gib, straight=True)
        plans = [way[0] for way in ways.ways]
        offload = MemoryPlan.MODEL_OFFLOAD if MemoryPlan.MODEL_OFFLOAD in plans else plans[-1]
        return MemoryChoice(
            plan=offload,
            reason=reason + ways.shortage,
            fallback_plan=ways.after(offload, tiles=tiles),
            tiles=tiles,
            cache=places[-1],
        )
    straight = device.partition(":")[2] in {"", "0"}
    ways = _ways(demand, places, main_gib, straight=straight)
    return _fitting(demand, free_gib, tiles=tiles, ways=ways)


def _cache_places(demand: Demand, asked: str) -> tuple[str | None, ...]:
    """Return where a KV cache may wait, the fastest place first; None alone without one."""
    if not demand.cache_gib:
        return (None,)
    return (asked,) if asked in {ON_DEVICE, IN_MAIN_MEMORY} else (ON_DEVICE, IN_MAIN_MEMORY)


def _asked(
    demand: Demand,
    plan: MemoryPlan,
    free_gib: float | None,
    *,
    tiles: bool,
    places: tuple[str | None, ...],
) -> MemoryChoice:
    """Return the plan that the user wants, in tiles where it fits in no other way."""
    if free_gib is None:
        return MemoryChoice(plan=plan, reason="asked for", tiles=tiles, cache=places[-1])
    fits = (place for place in places if demand.gib(plan, tiles=tiles, cache=place) <= free_gib)
    cache = next(fits, places[-1])
    whole = demand.gib(plan, cache=cache)
    if whole > free_gib and demand.gib(plan, tiles=True, cache=cache) < whole:
        tiles = True
    return MemoryChoice(plan=plan, reason="asked for", tiles=tiles, cache=cache)


Way = tuple[MemoryPlan, str | None]
"""A plan and the place of the KV cache."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ways:
    """The ways that main memory has room for, the fastest first."""

    ways: tuple[Way, ...]
    shortage: str = ""
    """Why others are left out, for the reason of a choice; empty where none is."""

    def after(self, plan: MemoryPlan, *, tiles: bool) -> MemoryPlan | None:
        """Return the plan for a retry when one was too large; None for none."""
        plans = list(dict.fromkeys(way[0] for way in self.ways))
        smaller = plans[plans.index(plan) + 1 :]
        # After the smallest plan on whole frames there is still the same in tiles.
        last = None if tiles else plan
        return smaller[0] if smaller else last


def _fitting(demand: Demand, free_gib: float, *, tiles: bool, ways: _Ways) -> MemoryChoice:
    have = f"{free_gib:.1f} GiB are free{ways.shortage}"
    last = ways.ways[-1]
    for tiled in (tiles, True):
        takes = {way: demand.gib(way[0], tiles=tiled, cache=way[1]) for way in ways.ways}
        for (plan, cache), gib in takes.items():
            if gib <= free_gib:
                tiled = tiled and not demand.model.tiles  # noqa: PLW2901 - it always works in them.
                return MemoryChoice(
                    plan=plan,
                    reason=f"{_each(takes, (plan, cache))}, {have}",
                    # The estimate may be wrong.
                    fallback_plan=ways.after(plan, tiles=tiled),
                    estimated_gib=gib,
                    tiles=tiled,
                    cache=cache,
                )
    tiles = not demand.model.tiles
    return MemoryChoice(
        plan=last[0],
        reason=f"{_each(takes, last)}, {have}",
        fallback_plan=ways.after(last[0], tiles=tiles),
        tiles=tiles,
        cache=last[1],
    )


def _ways(
    demand: Demand, places: tuple[str | None, ...], main_gib: float | None, *, straight: bool
) -> _Ways:
    """Return the plans with the places of a cache that main memory has room for.

    Whole components move once in a segment, layers and a cache in main memory at every step.
    """

    def has_room(plan: MemoryPlan, place: str | None) -> bool:
        if main_gib is None:
            return True
        need = demand.main_gib(plan, cache=place, straight=straight)
        return need + MAIN_RESERVE_GIB <= main_gib

    whole = (MemoryPlan.RESIDENT, MemoryPlan.MODEL_OFFLOAD)
    ways = [(plan, place) for place in places for plan in whole if has_room(plan, place)]
    for place in places:
        waits = has_room(MemoryPlan.GROUP_OFFLOAD, place)
        ways.append((MemoryPlan.GROUP_OFFLOAD if waits else MemoryPlan.DISK_OFFLOAD, place))
    shortage = ""
    if main_gib is not None and not has_room(MemoryPlan.GROUP_OFFLOAD, places[0]):
        need = demand.main_gib(MemoryPlan.GROUP_OFFLOAD, cache=places[0])
        shortage = f"; waiting weights take {need:.1f} GiB of main memory, {main_gib:.1f} are free"
    return _Ways(ways=tuple(ways), shortage=shortage)


def _each(takes: Mapping[Way, float], last: Way) -> str:
    """Return what all plans up to the one that was taken need."""
    words = {
        MemoryPlan.RESIDENT: "all takes",
        MemoryPlan.MODEL_OFFLOAD: "the largest part",
        MemoryPlan.GROUP_OFFLOAD: "a few layers",
        MemoryPlan.DISK_OFFLOAD: "a few layers",
    }
    beside = {ON_DEVICE: " with the KV cache", IN_MAIN_MEMORY: " without the KV cache"}
    order = list(takes)
    said = order[: order.index(last) + 1]
    return ", ".join(
        f"{words[way[0]]} {takes[way]:.1f} GiB{beside.get(way[1] or '', '')}" for way in said
    )
