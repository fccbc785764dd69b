"""Shapes and sound, which many vendors name with the same words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from tiomagic_domain.schema.parameter import Kind, Parameter


def choose_shape(width: int, height: int, shapes: Iterable[str]) -> str:
    """Return the shape that is nearest to a picture's.

    Args:
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        shapes: Such as ``16:9``, width to height.
    """

    def distance(shape: str) -> float:
        wide, _, tall = shape.partition(":")
        return abs(math.log((width / height) / (float(wide) / float(tall))))

    return min(shapes, key=distance)


def build_sound(source: str) -> Parameter:
    """Return the parameter ``sound`` of a model that can make a video with and without."""
    return Parameter(
        name="sound",
        kind=Kind.BOOLEAN,
        required=False,
        default=True,
        source=source,
        description="Whether the video has sound; without, most models cost less.",
    )
