"""About how long a run takes, from its operations and the speed of the device.

A step multiplies each token of the video with each parameter, and in the attention each token with
each other. What is left out (norms, text, the decoder) is some percent; the speed of a device is
known to a factor of two at best. So the figure tells minutes from hours and days.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.ports.preflight import RunTime
from tiomagic_domain.preflight.speeds import BESIDE, LOADED_BYTES_A_SECOND
from tiomagic_domain.quantities import GIB
from tiomagic_domain.schema.keyframes import PICTURE_FRAMES
from tiomagic_local.footprint.architectures import (
    count_added_frames,
    find_component_name,
    find_window,
)
from tiomagic_local.footprint.estimates import find_estimate
from tiomagic_local.memory.demand import ASSUMED_FRAMES

CORE_FLOPS: Final = 25e9
"""Of a CPU core in fp32, about half of the peak of one with AVX2 at 3 GHz."""


class TokenShape(NamedTuple):
    """How a model cuts a video into tokens, and the size of its attention."""

    frames: int
    """Frames a token."""
    side: int
    """Pixels of a token's side."""
    width: int
    """Channels of a token."""
    layers: int


SHAPES: Final[Mapping[str, TokenShape]] = {
    "wan-1.3b": TokenShape(4, 16, 1536, 30),
    "wan-vace-1.3b": TokenShape(4, 16, 1536, 30),
    "skyreels-df-1.3b": TokenShape(4, 16, 1536, 30),
    "wan2.2-5b": TokenShape(4, 32, 3072, 30),
    "cogvideox-2b": TokenShape(4, 16, 1920, 30),
    "cogvideox-": TokenShape(4, 16, 3072, 42),
    "cogvideox1.5-": TokenShape(8, 16, 3072, 42),
    "ltx-2b": TokenShape(8, 32, 2048, 28),
    "ltx-13b": TokenShape(8, 32, 4096, 48),
    "ltx2-": TokenShape(8, 32, 4096, 48),
    "ltx2.3-": TokenShape(8, 32, 4096, 48),
    "ltx2.5-": TokenShape(8, 32, 4096, 48),
    "hunyuan1.5-": TokenShape(4, 16, 2048, 54),
    "framepack-": TokenShape(4, 16, 3072, 60),
    "kandinsky5-19b": TokenShape(4, 16, 4096, 60),
    "kandinsky5-": TokenShape(4, 16, 1792, 32),
    "easyanimate-": TokenShape(4, 16, 3072, 48),
    "helios-": TokenShape(4, 16, 5120, 40),
    # Its VAE makes five of 17 frames, and two more at the end: between three and four frames each.
    "minimax-h3-": TokenShape(3, 32, 7168, 50),
    "wan": TokenShape(4, 16, 5120, 40),
    "skyreels": TokenShape(4, 16, 5120, 40),
}
"""By the start of the name of a transformer in ``architectures.json``; the first that fits."""


def estimate_run_time(
    card: ModelCard,
    settings: Mapping[str, Any],
    *,
    parameters: float,
    weights_gib: float,
    flops: float | None,
    chip: str,
) -> RunTime | None:
    """Return about how long a run takes; None for an unknown model or device.

    Args:
        card: The model.
        settings: Size, frames, steps and guidance; what is left out is the model's own.
        parameters: Of the transformer.
        weights_gib: All weights, which are loaded first.
        flops: Operations a second of the device; None if unknown.
        chip: The device for people.
    """
    operations = count_operations(card, settings, parameters)
    if flops is None or operations is None:
        return None
    loading = weights_gib * GIB / LOADED_BYTES_A_SECOND
    seconds = loading + BESIDE * operations / flops
    return RunTime(seconds=seconds, basis=f"estimated from the model's size and {chip}")


def count_operations(
    card: ModelCard, settings: Mapping[str, Any], parameters: float
) -> float | None:
    """Return the floating point operations of all steps; None for an unknown model.

    Args:
        card: The model.
        settings: Size, frames, steps and guidance; what is left out is the model's own.
        parameters: Of the transformer; far fewer than the model's own are those of a smaller one.
    """
    name = find_component_name(card.name, "transformer")
    shape = next((s for start, s in SHAPES.items() if name and name.startswith(start)), None)
    if shape is None:
        return None
    sized = settings.get("width") and settings.get("height")
    pixels = int(settings["width"]) * int(settings["height"]) if sized else card.pixels
    frames = int(settings.get("num_frames") or ASSUMED_FRAMES)
    window = find_window(card.name)
    times = 1 if window is None else math.ceil(frames / window)
    seen = frames if window is None else min(frames, window)
    seen += count_added_frames(card.name, settings.get(PICTURE_FRAMES, ()))
    tokens = ((seen - 1) // shape.frames + 1) * pixels / shape.side**2
    control = card.control_of(settings)
    if control is not None:
        tokens *= 1 + 1 / control.downscale**2
    # A smaller transformer has fewer channels and layers; how many of each is not known.
    attention = 4 * tokens**2 * shape.width * shape.layers * min(parameters / _usual(card), 1.0)
    one = 2 * parameters * tokens + attention
    guided = float(settings.get("guidance_scale") or 1.0) > 1.0
    return times * int(settings.get("num_inference_steps") or 1) * (2 if guided else 1) * one


def _usual(card: ModelCard) -> float:
    """Return the parameters of a model's own transformer."""
    known = find_estimate(card.name)
    gib = card.largest_gib if known is None else known.weights.get("transformer", card.largest_gib)
    return gib * GIB / 2


def count_run_operations(card: ModelCard, settings: Mapping[str, Any]) -> float | None:
    """Return the floating point operations of all steps of a model's own weights."""
    return count_operations(card, settings, _usual(card))
