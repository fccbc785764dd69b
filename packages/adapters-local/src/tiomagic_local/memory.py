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
from typing import Any

RESERVE_GIB = 1.0
"""Left for the driver's own buffers and for fragments."""

DENOISING_GIB = 0.12
"""Activations of a step per million pixels of the whole clip. Measured on an H100, 81 frames of
832x480: 3.6 GiB for 14B in plain diffusers, 3.9 with a cache or a LoRA, 2.0 compiled; a model of
1.3B takes 1.6."""

DECODING_GIB = 21.0
"""What the Wan VAE in fp32 holds per million pixels of a frame while it decodes four of them: by
far the most of it all. Measured at 81 frames of 832x480, together with the next one: 8.8 GiB."""

OTHER_DECODING_GIB = {"cogvideox": 43.0}
"""The same of families whose VAE holds more: 49 frames of 720x480 take 14.8 GiB of CogVideoX-5B."""

FRAMES_GIB = 0.012
"""The decoded frames in fp32, per million pixels of the whole clip."""

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
    family: str = ""
    """The model's, for what its VAE needs."""

    @property
    def denoising_gib(self) -> float:
        """What the steps need beside the weights."""
        return DENOISING_GIB * self.pixels * self.frames / 1e6

    @property
    def decoding_gib(self) -> float:
        """What decoding needs beside the weights."""
        held = OTHER_DECODING_GIB.get(self.family, DECODING_GIB)
        return (held + FRAMES_GIB * self.frames) * self.pixels / 1e6

    @property
    def peak_gib(self) -> float:
        """What is needed where all weights lie on the device."""
        return self.weights_gib + RESERVE_GIB + max(self.denoising_gib, self.decoding_gib)

    @property
    def peak_of_parts_gib(self) -> float:
        """What is needed where one component at a time does: a step, or the VAE that decodes."""
        step, decoding = self.largest_gib + self.denoising_gib, VAE_GIB + self.decoding_gib
        return RESERVE_GIB + max(step, decoding)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A plan and why it was taken."""

    plan: Plan
    reason: str
    smaller: Plan | None = None
    """What to try if the memory is not enough after all; None when the user or the device leaves
    no choice."""

    estimated_gib: float | None = None
    """What the run is expected to take of the device; None where nothing was estimated."""

    def to_dict(self) -> dict[str, Any]:
        """Return the choice for a job's record."""
        told: dict[str, Any] = {"plan": self.plan.value, "reason": self.reason}
        if self.estimated_gib is not None:
            told["estimated_gib"] = round(self.estimated_gib, 1)
        return told


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
    all_gib, one_gib = demand.peak_gib, demand.peak_of_parts_gib
    have = f"{free_gib:.1f} GiB are free"
    if all_gib <= free_gib:
        return _chosen(Plan.RESIDENT, f"all takes {all_gib:.1f} GiB, {have}", all_gib)
    if one_gib <= free_gib:
        reason = f"all takes {all_gib:.1f} GiB, the largest part {one_gib:.1f} GiB, {have}"
        return _chosen(Plan.MODEL_OFFLOAD, reason, one_gib)
    return _chosen(Plan.GROUP_OFFLOAD, f"the largest part takes {one_gib:.1f} GiB, {have}")


def _chosen(plan: Plan, reason: str, estimated_gib: float | None = None) -> Choice:
    """Return a choice that was made by an estimate, which may be wrong."""
    order = list(Plan)
    after = order[order.index(plan) + 1 :]
    smaller = after[0] if after else None
    return Choice(plan=plan, reason=reason, smaller=smaller, estimated_gib=estimated_gib)
