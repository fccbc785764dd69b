"""Sizes and lengths as people think of them: 16:9, upright, 5 seconds; as legal values."""

from __future__ import annotations

from typing import Any, Final

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.sizing import fit_shorter, fit_size
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_domain.schema.schema import Schema

ASPECTS: Final = ("16:9", "4:3", "1:1", "3:4", "9:16")
"""Width to height."""
SECONDS: Final = (1, 2, 3, 5, 8, 10)
"""Lengths."""
DEFAULT_SIZE: Final = "own"
"""The size that the model or the picture decides."""


def aspects_of(card: ModelCard, feature: Feature) -> list[str]:
    """Return the shapes that a model can make; none if it has one size only."""
    schema = card.schema(feature)
    if not _can_change(schema, "width") or not _can_change(schema, "height"):
        return []
    return list(ASPECTS)


def seconds_of(card: ModelCard, feature: Feature) -> list[int]:
    """Return the lengths in seconds that a model can make; none if it has one length only."""
    schema = card.schema(feature)
    if not _can_change(schema, "num_frames"):
        return []
    frames, fps = schema["num_frames"], _fps(card, schema)
    low, high = float(frames.minimum or 0), float(frames.maximum or 0)
    return [one for one in SECONDS if low <= one * fps + frames.offset and one * fps <= high]


def values_of(card: ModelCard, feature: Feature, shape: str) -> dict[str, Any]:
    """Return the values of a shape such as ``16:9``, or of a length such as ``5s``.

    Nothing for what the model cannot make.
    """
    schema = card.schema(feature)
    if shape == DEFAULT_SIZE:
        return {"width": "", "height": ""}
    if shape in aspects_of(card, feature):
        wide, tall = (int(part) for part in shape.split(":"))
        return dict(zip(("width", "height"), _size(card, schema, wide / tall), strict=True))
    seconds = [one for one in seconds_of(card, feature) if shape == f"{one}s"]
    if not seconds:
        return {}
    frames = schema["num_frames"]
    return {"num_frames": int(frames.nearest(seconds[0] * _fps(card, schema) + frames.offset))}


def _size(card: ModelCard, schema: Schema, aspect: float) -> tuple[int, int]:
    sides = {name: schema[name] for name in ("width", "height")}
    if schema.shorter_side is not None:
        return fit_shorter(aspect, shorter=schema.shorter_side, **sides)
    return fit_size(aspect, pixels=card.pixels, **sides)


def _fps(card: ModelCard, schema: Schema) -> float:
    default = schema["fps"].default if "fps" in schema else card.fps
    return float(default) if isinstance(default, int | float) else float(card.fps)


def _can_change(schema: Schema, name: str) -> bool:
    return name in schema and not _is_fixed(schema[name])


def _is_fixed(parameter: Parameter) -> bool:
    return parameter.minimum is not None and parameter.minimum == parameter.maximum
