"""Where the weights wait while they are not needed. Pure: knows numbers, not torch.

=================  ==============================================================  ==========
plan               what lies on the device                                         speed
=================  ==============================================================  ==========
``resident``       all weights, all the time                                       fastest
``model_offload``  one component at a time                                         a little less
``group_offload``  a few layers at a time, and the VAE                             slowest
=================  ==============================================================  ==========
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

RESERVE_GIB = 1.0
"""Left for the driver's own buffers and for fragments."""

GIB_A_MEGAPIXEL_FRAME = 0.12
"""Activations per million pixels of the whole clip, in GiB. Computed from the shapes of a 14B
model in bf16 (a dozen maps of tokens times 5120) and of the fp32 VAE; not measured. 81 frames of
832x480 come to 3.9 GiB, of 1280x720 to 9.0 GiB."""

VAE_GIB = 0.5
"""The Wan VAE in fp32; it stays on the device in every plan."""


class Plan(StrEnum):
    """Where the weights wait."""

    RESIDENT = "resident"
    MODEL_OFFLOAD = "model_offload"
    GROUP_OFFLOAD = "group_offload"


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What a generation needs."""

    weights_gib: float
    """All weights."""
    largest_gib: float
    """The largest single component."""
    pixels: int
    """Width times height."""
    frames: int

    @property
    def activations_gib(self) -> float:
        """An estimate of what is needed beside the weights."""
        return RESERVE_GIB + GIB_A_MEGAPIXEL_FRAME * self.pixels * self.frames / 1e6


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A plan and why it was taken."""

    plan: Plan
    reason: str
    smaller: Plan | None = None
    """What to try if the memory is not enough after all; None when the user or the device leaves
    no choice."""

    def to_dict(self) -> dict[str, str]:
        """Return the choice for a job's record."""
        return {"plan": self.plan.value, "reason": self.reason}


def choose(demand: Demand, *, device: str, free_gib: float | None, wanted: str = "auto") -> Choice:
    """Return the fastest plan that fits, or the one that the user wants.

    Args:
        demand: What the generation needs.
        device: ``cuda``, ``mps`` or ``cpu``, with or without a number.
        free_gib: Free memory of the device; None when nobody can tell.
        wanted: A plan's name, or ``auto``.
    """
    if device.partition(":")[0] == "cpu":
        asked = "" if wanted in {"auto", Plan.RESIDENT} else f"; {wanted} has no meaning here"
        return Choice(plan=Plan.RESIDENT, reason=f"a CPU has all weights in its memory{asked}")
    if wanted != "auto":
        return Choice(plan=Plan(wanted), reason="asked for")
    if device.partition(":")[0] == "mps":
        return Choice(plan=Plan.RESIDENT, reason="the device shares its memory with the CPU")
    if free_gib is None:
        return _chosen(Plan.MODEL_OFFLOAD, "the free memory is not known")
    return _fitting(demand, free_gib)


def _fitting(demand: Demand, free_gib: float) -> Choice:
    extra = demand.activations_gib
    all_gib, one_gib = demand.weights_gib + extra, demand.largest_gib + extra
    have = f"{free_gib:.1f} GiB are free"
    if all_gib <= free_gib:
        return _chosen(Plan.RESIDENT, f"all takes {all_gib:.1f} GiB, {have}")
    if one_gib <= free_gib:
        reason = f"all takes {all_gib:.1f} GiB, the largest part {one_gib:.1f} GiB, {have}"
        return _chosen(Plan.MODEL_OFFLOAD, reason)
    return _chosen(Plan.GROUP_OFFLOAD, f"the largest part takes {one_gib:.1f} GiB, {have}")


def _chosen(plan: Plan, reason: str) -> Choice:
    """Return a choice that was made by an estimate, which may be wrong."""
    order = list(Plan)
    after = order[order.index(plan) + 1 :]
    return Choice(plan=plan, reason=reason, smaller=after[0] if after else None)
