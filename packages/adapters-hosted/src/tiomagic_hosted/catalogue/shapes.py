"""Shapes and sound, which many vendors name with the same words."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tiomagic_domain.ports.provider import Request
from tiomagic_domain.schema.parameter import Kind, Parameter
from tiomagic_hosted.catalogue.endpoints import Endpoint
from tiomagic_hosted.service import Order


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ShapedEndpoint(Endpoint):
    """An endpoint whose video has the shape nearest to its first picture's, if none is asked for.

    Without a word the maker chooses, and some cut a tall picture to 16:9.
    """

    aspects: tuple[str, ...]

    def build_order(self, request: Request) -> Order:
        """Return a call in the vendor's words; see the base."""
        order = Endpoint.build_order(self, request)
        picture = request.media.get("image") or request.media.get("first_frame")
        if picture is None or "aspect_ratio" in order.arguments:
            return order
        shape = choose_shape(picture.width, picture.height, self.aspects)
        return Order(endpoint=order.endpoint, arguments={**order.arguments, "aspect_ratio": shape})
