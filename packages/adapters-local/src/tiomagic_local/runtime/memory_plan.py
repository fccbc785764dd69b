"""Chooses the memory plan: resident, model_offload or group_offload. Pure, without torch.

=================  ==============================================================  ==========
plan               what lies on the device                                         speed
=================  ==============================================================  ==========
``resident``       all weights, all the time                                       fastest
``model_offload``  one component at a time                                         a little less
``group_offload``  a few layers at a time, and the VAE                             slowest
=================  ==============================================================  ==========
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_local.footprint.estimates import Estimate, find_estimate

RESERVE_GIB = 1.0
"""Left for the driver's own buffers and for fragments."""

REFERENCE_MODEL = "wan2.1-t2v-14b"
"""The model whose activations are used for a model with an unknown architecture."""
REFERENCE_VAE_GIB = 0.5
"""The VAE of such a model, in fp32."""
RESIDENT_LAYERS = 2
"""Layers on the device with group offload: the running one, and the next one in transfer."""

ASSUMED_FRAMES = 121
"""Frames for a model without a length setting."""

TEXT = ("text_encoder", "text_encoder_2", "text_encoder_3", "connectors")
TRANSFORMERS = ("transformer", "transformer_2")


class MemoryPlan(StrEnum):
    """What is on the device during a run."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model_offload"
    GROUP_OFFLOAD = "group_offload"


def estimate_by_weights(*, weights_gib: float, largest_gib: float) -> Estimate:
    """Return an estimate for a model from the size of its weights alone."""
    known = find_estimate(REFERENCE_MODEL)
    assert known is not None, "it is in the file that ships"
    rest = max(weights_gib - largest_gib - REFERENCE_VAE_GIB, 0.0)
    weights = {"transformer": largest_gib, "text_encoder": rest, "vae": REFERENCE_VAE_GIB}
    leaves = {name: min(gib, known.leaves[name]) for name, gib in weights.items()}
    return Estimate(weights=weights, leaves=leaves, text=known.text, phases=known.phases)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """The memory demand of a generation."""

    model: Estimate
    pixels: int
    """Width times height."""
    frames: int
    control: float = 0.0
    """The pixels of a control video that lies beside the video in each step, as a part of it."""

    def activations(self, *, tiles: bool = False) -> dict[str, float]:
        """Return the GiB of each phase beside the weights.

        Args:
            tiles: True where the VAE works in tiles.
        """
        phases = {"text": self.model.text}
        for name in ("encode", "denoise", "decode"):
            # A control video is tokens like those of the video.
            more = 1 + self.control if name == "denoise" else 1
            pixels = int(self.pixels * more)
            phases[name] = self.model.phase(name, pixels, self.frames, tiles=tiles)
        if self.control:
            # A whole video is encoded then; the decoder, which is the larger half, bounds it.
            phases["encode"] = max(phases["encode"], phases["decode"])
        return phases

    def gib(self, plan: MemoryPlan, *, tiles: bool = False) -> float:
        """Return the device memory that a plan needs, with the reserve.

        Args:
            plan: Where the weights wait.
            tiles: True where the VAE works in tiles.
        """
        held = self.activations(tiles=tiles)
        lying = {phase: self._lying(phase, plan) for phase in held}
        return RESERVE_GIB + max(lying[phase] + held[phase] for phase in held)

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
            return model.vae_gib + RESIDENT_LAYERS * part
        return part if names else model.vae_gib


def demand_of(card: ModelCard, settings: Mapping[str, Any]) -> Demand:
    """Return what a generation needs; where no size is among its settings, at the model's own."""
    known = find_estimate(card.name)
    if known is None:
        known = estimate_by_weights(weights_gib=card.weights_gib, largest_gib=card.largest_gib)
    control = card.control_of(settings)
    # Not every model lets its size or its length be chosen.
    sized = "width" in settings and "height" in settings
    return Demand(
        model=known,
        pixels=int(settings["width"]) * int(settings["height"]) if sized else card.pixels,
        frames=int(settings.get("num_frames", ASSUMED_FRAMES)),
        control=1 / control.downscale**2 if control is not None else 0.0,
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

    def to_dict(self) -> dict[str, Any]:
        """Return the choice for a job's record."""
        described: dict[str, Any] = {"plan": self.plan.value, "reason": self.reason}
        if self.estimated_gib is not None:
            described["estimated_gib"] = round(self.estimated_gib, 1)
        if self.tiles:
            described["decoding"] = "tiles"
        return described


def choose_memory_plan(
    demand: Demand,
    *,
    device: str,
    free_gib: float | None,
    wanted: str = "auto",
    tiles: bool = False,
) -> MemoryChoice:
    """Return the fastest plan that fits, or the one that the user wants.

    A VAE works on whole frames if any plan has room for it, because tiles change pixels at their
    seams.

    Args:
        demand: Of the generation.
        device: ``cuda``, ``mps`` or ``cpu``, with or without a number.
        free_gib: Free memory of the device; None when unknown.
        wanted: A plan's name, or ``auto``.
        tiles: True to have the VAE work in tiles whatever fits.
    """
    if device.partition(":")[0] == "cpu":
        asked = "" if wanted in {"auto", MemoryPlan.RESIDENT} else f"; {wanted} has no meaning here"
        reason = f"a CPU has all weights in its memory{asked}"
        return MemoryChoice(plan=MemoryPlan.RESIDENT, reason=reason, tiles=tiles)
    if wanted != "auto":
        return _asked(demand, MemoryPlan(wanted), free_gib, tiles=tiles)
    if device.partition(":")[0] == "mps":
        reason = "the device shares its memory with the CPU"
        return MemoryChoice(plan=MemoryPlan.RESIDENT, reason=reason, tiles=tiles)
    if free_gib is None:
        return _chosen(MemoryPlan.MODEL_OFFLOAD, "the free memory is not known", tiles=tiles)
    return _fitting(demand, free_gib, tiles=tiles)


def _asked(
    demand: Demand, plan: MemoryPlan, free_gib: float | None, *, tiles: bool
) -> MemoryChoice:
    """Return the plan that the user wants, in tiles where it fits in no other way."""
    whole, tiled = demand.gib(plan), demand.gib(plan, tiles=True)
    if free_gib is not None and whole > free_gib and tiled < whole:
        tiles = True
    return MemoryChoice(plan=plan, reason="asked for", tiles=tiles)


def _fitting(demand: Demand, free_gib: float, *, tiles: bool) -> MemoryChoice:
    have = f"{free_gib:.1f} GiB are free"
    for tiled in (tiles, True):
        takes = {plan: demand.gib(plan, tiles=tiled) for plan in MemoryPlan}
        for plan, gib in takes.items():
            if gib <= free_gib:
                reason = f"{_each(takes, plan)}, {have}"
                return _chosen(plan, reason, gib, tiles=tiled and not demand.model.tiles)
    reason = f"{_each(takes, MemoryPlan.GROUP_OFFLOAD)}, {have}"
    return _chosen(MemoryPlan.GROUP_OFFLOAD, reason, tiles=not demand.model.tiles)


def _each(takes: Mapping[MemoryPlan, float], last: MemoryPlan) -> str:
    """Return what all plans up to the one that was taken need."""
    words = {
        MemoryPlan.RESIDENT: "all takes",
        MemoryPlan.MODEL_OFFLOAD: "the largest part",
        MemoryPlan.GROUP_OFFLOAD: "a few layers",
    }
    order = list(takes)
    said = order[: order.index(last) + 1]
    return ", ".join(f"{words[plan]} {takes[plan]:.1f} GiB" for plan in said)


def _chosen(
    plan: MemoryPlan, reason: str, estimated_gib: float | None = None, *, tiles: bool = False
) -> MemoryChoice:
    """Return a choice that was made by an estimate, which may be wrong."""
    order = list(MemoryPlan)
    after = order[order.index(plan) + 1 :]
    # After the smallest plan on whole frames there is still the same in tiles.
    last = None if tiles else plan
    smaller = after[0] if after else last
    return MemoryChoice(
        plan=plan, reason=reason, fallback_plan=smaller, estimated_gib=estimated_gib, tiles=tiles
    )
