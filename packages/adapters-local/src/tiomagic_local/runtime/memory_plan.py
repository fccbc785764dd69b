"""Chooses the memory plan by the memory of the device and of the machine. Pure, without torch.

=================  ======================================  ========================  =============
plan               what lies on the device                 where the others wait     speed
=================  ======================================  ========================  =============
``resident``       all weights, all the time               there are none            fastest
``model_offload``  one component at a time                 in main memory            a little less
``group_offload``  a few layers at a time, and the VAE     in main memory            slow
``disk_offload``   a few layers at a time, and the VAE     in their files            slowest
=================  ======================================  ========================  =============

A transformer that keeps keys and values from one pass for all steps (a KV cache) can have them on
the device or in main memory, whatever the plan. The numbers are the same; a step then brings each
layer's part, which takes about as long as bringing the weights of the layers.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.kv_cache import (
    CACHE_SETTING,
    EIGHT_BITS,
    EIGHT_BITS_SHARE,
    IN_MAIN_MEMORY,
    ON_DEVICE,
)
from tiomagic_domain.schema.keyframes import PICTURE_FRAMES
from tiomagic_local.footprint.architectures import count_added_frames
from tiomagic_local.footprint.estimates import MemoryEstimate, find_estimate

RESERVE_GIB = 1.0
"""Left for the driver's own buffers and for fragments."""

REFERENCE_MODEL = "wan2.1-t2v-14b"
"""The model whose activations are used for a model with an unknown architecture."""
REFERENCE_VAE_GIB = 0.5
"""The VAE of such a model, in fp32."""
RESIDENT_LAYERS = 2
"""Layers on the device with group offload: the running one, and the next one in transfer."""

LOADING_GIB = 1.0
"""Main memory for loading weights straight to a device: tensors that are turned into the type of
the run on their way, a few at a time (``benchmarks/main_memory.py``)."""
MAIN_RESERVE_GIB = 3.0
"""Main memory of the process beside weights: torch with CUDA, the frames, the encoder."""

ASSUMED_FRAMES = 121
"""Frames for a model without a length setting."""

TEXT = ("text_encoder", "text_encoder_2", "text_encoder_3", "connectors")
TRANSFORMERS = ("transformer", "transformer_2")


class MemoryPlan(StrEnum):
    """What is on the device during a run."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model_offload"
    GROUP_OFFLOAD = "group_offload"
    DISK_OFFLOAD = "disk_offload"


BY_LAYERS = frozenset({MemoryPlan.GROUP_OFFLOAD, MemoryPlan.DISK_OFFLOAD})
"""Plans with a few layers at a time on the device: the smallest there are."""
WAITING = frozenset({MemoryPlan.MODEL_OFFLOAD, MemoryPlan.GROUP_OFFLOAD})
"""Plans whose weights wait in main memory."""


def estimate_by_weights(*, weights_gib: float, largest_gib: float) -> MemoryEstimate:
    """Return an estimate for a model from the size of its weights alone."""
    known = find_estimate(REFERENCE_MODEL)
    assert known is not None, "it is in the file that ships"
    rest = max(weights_gib - largest_gib - REFERENCE_VAE_GIB, 0.0)
    weights = {"transformer": largest_gib, "text_encoder": rest, "vae": REFERENCE_VAE_GIB}
    leaves = {name: min(gib, known.leaves[name]) for name, gib in weights.items()}
    return MemoryEstimate(weights=weights, leaves=leaves, text=known.text, phases=known.phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The memory demand of a generation."""

    model: MemoryEstimate
    pixels: int
    """Width times height."""
    frames: int
    added_frames: int = 0
    """Frames whose tokens given pictures add to those of the video in each step."""
    control: float = 0.0
    """The pixels of a control video that lies beside the video in each step, as a part of it."""
    cache_gib: float = 0.0
    """The KV cache; 0 for a model without one."""
    devices: int = 1
    """Devices that share the tokens of each step, and so the cache; each has all weights."""

    def activations(self, *, tiles: bool = False) -> dict[str, float]:
        """Return the GiB of each phase beside the weights.

        Args:
            tiles: True where the VAE works in tiles.
        """
        phases = {"text": self.model.text + self.model.reading.get("text", 0.0)}
        for name in ("encode", "denoise", "decode"):
            # A control video is tokens like those of the video, and so are some pictures.
            more, added = (self.control, self.added_frames) if name == "denoise" else (0, 0)
            shared = self.devices if name == "denoise" else 1
            pixels = math.ceil(self.pixels * (1 + more) / shared)
            frames = self.frames + added
            phases[name] = self.model.phase(name, pixels, frames, tiles=tiles)
        if self.control:
            # A whole video is encoded then; the decoder, which is the larger half, bounds it.
            phases["encode"] = max(phases["encode"], phases["decode"])
        return phases

    def gib(self, plan: MemoryPlan, *, tiles: bool = False, cache: str | None = ON_DEVICE) -> float:
        """Return the device memory that a plan needs, with the reserve.

        Args:
            plan: Where the weights wait.
            tiles: True where the VAE works in tiles.
            cache: ``ram`` where a KV cache waits in main memory.
        """
        held = self.activations(tiles=tiles)
        if cache != IN_MAIN_MEMORY:
            # It is filled before the first step, and emptied when the frames are decoded.
            part = self.cache_gib / self.devices
            held |= {name: held[name] + part for name in ("denoise", "decode")}
        lying = {phase: self._lying(phase, plan) for phase in held}
        return RESERVE_GIB + max(lying[phase] + held[phase] for phase in held)

    def main_gib(
        self, plan: MemoryPlan, *, cache: str | None = ON_DEVICE, straight: bool = True
    ) -> float:
        """Return the main memory that the weights and a KV cache take beside a GPU.

        Pages of files do not count: the system takes them back when it needs them.

        Args:
            plan: Where the weights wait.
            cache: ``ram`` where a KV cache waits in main memory.
            straight: False where weights that stay on the device go through main memory.
        """
        kept = self.cache_gib / self.devices if cache == IN_MAIN_MEMORY else 0.0
        if plan in WAITING or (plan is MemoryPlan.RESIDENT and not straight):
            return kept + self.model.weights_gib
        if plan is MemoryPlan.RESIDENT:
            return kept + min(LOADING_GIB, self.model.weights_gib)
        # Layers on their way are in memory that the GPU can read by itself.
        layers = RESIDENT_LAYERS * max(self.model.leaves.values(), default=0.0)
        return kept + min(layers + self.model.fixed_gib, self.model.weights_gib)

    def _lying(self, phase: str, plan: MemoryPlan) -> float:
        """Return the GiB of weights on the device in a phase."""
        model = self.model
        if plan is MemoryPlan.RESIDENT:
            return model.weights_gib
        whole = plan is MemoryPlan.MODEL_OFFLOAD
        sizes = model.weights if whole else model.leaves
        names = {"text": TEXT, "denoise": TRANSFORMERS}.get(phase, ())
        part = max((sizes.get(name, 0.0) for name in names), default=0.0)
        if not whole:
            return model.fixed_gib + RESIDENT_LAYERS * part
        return part if names else model.fixed_gib


def demand_of(
    card: ModelCard, settings: Mapping[str, Any], *, sizes: Mapping[str, float] | None = None
) -> Demand:
    """Return what a generation needs; where no size is among its settings, at the model's own.

    Args:
        card: The model.
        settings: Of the generation.
        sizes: GiB of the weights of components that come from a file.
    """
    known = find_estimate(card.name)
    if known is None:
        known = estimate_by_weights(weights_gib=card.weights_gib, largest_gib=card.largest_gib)
    known = known.with_sizes(sizes or {})
    control = card.control_of(settings)
    # Not every model lets its size or its length be chosen.
    sized = "width" in settings and "height" in settings
    pixels = int(settings["width"]) * int(settings["height"]) if sized else card.pixels
    frames = int(settings.get("num_frames", ASSUMED_FRAMES))
    share = EIGHT_BITS_SHARE if settings.get(CACHE_SETTING) == EIGHT_BITS else 1.0
    return Demand(
        model=known,
        pixels=pixels,
        frames=frames,
        added_frames=count_added_frames(card.name, settings.get(PICTURE_FRAMES, ())),
        control=1 / control.downscale**2 if control is not None else 0.0,
        cache_gib=known.cache_gib(pixels, frames) * share,
    )


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
