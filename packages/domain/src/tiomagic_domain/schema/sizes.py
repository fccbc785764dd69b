"""Length and size in the user's terms: ``seconds``, ``aspect``, ``resolution``.

A model takes ``num_frames``, ``width`` and ``height``. Every schema with these also takes the terms
here, which ``requests.asked_sizes`` turns into frames and pixels before a run: no engine sees them.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from tiomagic_domain.schema.parameter import Kind, Parameter

SECONDS: Final = "seconds"
ASPECT: Final = "aspect"
RESOLUTION: Final = "resolution"
SIZE_NAMES: Final = (SECONDS, ASPECT, RESOLUTION)

EXCLUSIVE_SIZES: Final = (
    (SECONDS, "num_frames"),
    (RESOLUTION, "width"),
    (RESOLUTION, "height"),
    (ASPECT, "width", "height"),
)
"""Terms that say the same thing twice when all of a group are given."""

MAX_SECONDS: Final = 3600
"""Longer than any model's video, and short enough to be counted in frames."""
ASPECTS: Final = ("16:9", "9:16", "1:1", "4:3", "3:4", "3:2", "2:3", "21:9")
RESOLUTIONS: Final = ("480p", "540p", "720p", "1080p")

_NUMBER: Final = r"[1-9][0-9]{0,3}(\.[0-9]{1,3})?"
_SIDE: Final = "[1-9][0-9]{1,3}"


def size_parameters(parameters: Iterable[Parameter]) -> tuple[Parameter, ...]:
    """Return the terms that stand for the frames and pixels among a model's parameters."""
    known = {parameter.name: parameter for parameter in parameters}
    terms = []
    if "num_frames" in known:
        terms.append(_seconds(known["num_frames"], known.get("fps")))
    if "width" in known and "height" in known:
        terms += [_ASPECT, _RESOLUTION]
    return tuple(term for term in terms if term.name not in known)


def _seconds(frames: Parameter, fps: Parameter | None) -> Parameter:
    rate, legal = None if fps is None else fps.default, ""
    if isinstance(rate, int) and frames.minimum is not None and frames.maximum is not None:
        low, high = (limit / rate for limit in (frames.minimum, frames.maximum))
        span = f"{low:.2f}" if low == high else f"{low:.2f} to {high:.2f}"
        legal = f" {span} s at {rate} frames a second."
    return Parameter(
        name=SECONDS,
        kind=Kind.NUMBER,
        required=False,
        minimum=0.01,
        maximum=MAX_SECONDS,
        unit="s",
        description="Length of the video in place of num_frames: the nearest that the model "
        f"makes.{legal}",
    )


_ASPECT: Final = Parameter(
    name=ASPECT,
    kind=Kind.STRING,
    required=False,
    pattern=rf"^{_NUMBER}[:x/]{_NUMBER}(?!\n)$",
    pattern_hint='must be a shape such as "16:9", "9:16" or "1:1"',
    examples=ASPECTS,
    description="Shape of the video, width to height, in place of width and height or beside one "
    "of them: the nearest that the model makes.",
)
_RESOLUTION: Final = Parameter(
    name=RESOLUTION,
    kind=Kind.STRING,
    required=False,
    pattern=rf"^({_SIDE}[pP]?|{_SIDE}x{_SIDE})(?!\n)$",
    pattern_hint='must be such as "480p" or "720p", or a size such as "1280x720"',
    examples=RESOLUTIONS,
    description="Size of the video in place of width and height: 720p has as many pixels as "
    "1280x720 in any shape. The shape is aspect's, else the picture's, else the model's own.",
)
