"""Counts the memory that a generation needs with each plan. Pure, without torch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
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
from tiomagic_local.memory.plans import WAITING, MemoryPlan

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
