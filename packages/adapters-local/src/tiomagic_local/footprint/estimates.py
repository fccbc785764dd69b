"""Memory estimates of models for the planner: a formula for each phase. Loads no torch.

The bytes of a phase grow with the pixels of a frame, with the frames, and with both: a few
coefficients each, fitted to what ``phases`` counts and kept in ``estimates.json``, which
``benchmarks/memory.py`` writes.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib.resources import files
from typing import Any

FILE = "estimates.json"

Coefficients = tuple[float, ...]
"""GiB; GiB a million pixels of a frame; GiB a frame; GiB a million pixels of the whole clip; and
GiB of the square of these, where a mask is made of each token by each."""

JOINED = 4.7
"""Copies of a video in memory while its tiles are joined: overlapping tiles count 1.8, their rows
and the whole one each, the conversion of the range one more. Counted for Wan's VAE at 832x480x81
and at 1280x704x121."""

KEPT_GIB = 2 * 12e6 / 2**30
"""GiB of a million pixels of finished frames, in fp32, twice while others are joined."""

READING = 3.0
"""A quantized weight is read in fp32 and then rounded to 16 bits: so many times its 16 bits."""

LARGEST_MATRIX_GIB = 0.15
"""More than any matrix of a linear layer here, in 16 bits. Of a table only some rows are read."""

NOTHING: Coefficients = (0.0,) * 5


def compute_terms(pixels: int, frames: int) -> tuple[float, ...]:
    """Return the factors of the coefficients."""
    clip = pixels * frames / 1e6
    return 1.0, pixels / 1e6, float(frames), clip, clip**2


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryEstimate:
    """The GPU memory of a model, by component and by phase."""

    weights: Mapping[str, float]
    """GiB of each component in the type that it runs in."""
    leaves: Mapping[str, float]
    """GiB of the largest layer of each."""
    text: float
    """GiB of the text encoders beside their weights."""
    phases: Mapping[str, Coefficients]
    """Of ``encode``, ``denoise``, ``decode``, and of ``encode_tiles`` and ``decode_tiles``."""
    tiles: bool = False
    """True where the engine always decodes in tiles."""
    window: int | None = None
    """Most frames that are generated at once; None for all."""
    pixel_bytes: int = 12
    """Bytes of a pixel in the VAE's output."""
    reading: Mapping[str, float] = field(default_factory=dict)
    """GiB of a weight in full while a quantized component reads it, by ``text`` and ``denoise``."""
    cache: Coefficients = NOTHING
    """Of what the transformer keeps from one pass for all steps; it may wait in main memory."""
    fixed: tuple[str, ...] = ()
    """Components beside the VAE that cannot move in parts."""

    def phase(self, name: str, pixels: int, frames: int, *, tiles: bool = False) -> float:
        """Return the GiB of a phase beside the weights.

        Args:
            name: ``encode``, ``denoise`` or ``decode``.
            pixels: Width times height.
            frames: Of the video.
            tiles: True for a VAE that works in tiles.
        """
        tiled = f"{name}_tiles" if tiles or self.tiles else name
        found = self.phases.get(tiled) or self.phases.get(name, NOTHING)
        seen = frames if self.window is None else min(frames, self.window)
        pairs = zip(found, compute_terms(pixels, seen), strict=True)
        fitted = sum(factor * value for factor, value in pairs)
        if name != "decode":
            return fitted + self.reading.get(name, 0.0)
        if tiled in self.phases and tiled != name:
            # The formula was fitted to a few tiles, so it does not include joining many.
            fitted = max(fitted, JOINED * self.pixel_bytes * pixels * seen / 2**30)
        return fitted + KEPT_GIB * pixels * (frames - seen) / 1e6

    def cache_gib(self, pixels: int, frames: int) -> float:
        """Return the GiB of the KV cache; arguments as for a phase."""
        seen = frames if self.window is None else min(frames, self.window)
        pairs = zip(self.cache, compute_terms(pixels, seen), strict=True)
        return sum(factor * value for factor, value in pairs)

    def with_sizes(self, sizes: Mapping[str, float]) -> MemoryEstimate:
        """Return the estimate for quantized components.

        Args:
            sizes: GiB of their weights in memory.
        """
        sizes = {name: gib for name, gib in sizes.items() if self.weights.get(name)}
        shares = {name: gib / self.weights[name] for name, gib in sizes.items()}
        # The largest layer of an encoder is its table of words, which may stay full.
        leaves = {
            name: leaf * (shares.get(name, 1.0) if name.startswith("transformer") else 1.0)
            for name, leaf in self.leaves.items()
        }
        reading: dict[str, float] = {}
        for name, share in shares.items():
            if share < 1:
                phase = "denoise" if name.startswith("transformer") else "text"
                full = READING * min(self.leaves.get(name, 0.0), LARGEST_MATRIX_GIB)
                reading[phase] = max(reading.get(phase, 0.0), full)
        return replace(self, weights={**self.weights, **sizes}, leaves=leaves, reading=reading)

    @property
    def weights_gib(self) -> float:
        """All weights."""
        return sum(self.weights.values())

    @property
    def largest_gib(self) -> float:
        """The largest component."""
        return max(self.weights.values())

    @property
    def fixed_gib(self) -> float:
        """What is on the device while layers of the others come and go."""
        return sum(self.weights.get(name, 0.0) for name in ("vae", *self.fixed))


@functools.cache
def _data() -> Mapping[str, Any]:
    found: Mapping[str, Any] = json.loads(files(__package__).joinpath(FILE).read_text("utf-8"))
    return found


def find_estimate(model: str) -> MemoryEstimate | None:
    """Return the estimates of a model; None if its architecture is unknown."""
    facts = _data().get(model)
    if facts is None:
        return None
    phases = {name: tuple(values) for name, values in facts["phases"].items()}
    return MemoryEstimate(
        weights=facts["weights"],
        leaves=facts["leaves"],
        text=facts["text"],
        phases=phases,
        tiles=facts["tiles"],
        window=facts["window"],
        pixel_bytes=facts["pixel_bytes"],
        cache=tuple(facts.get("cache", NOTHING)),
        fixed=tuple(facts.get("fixed", ())),
    )
