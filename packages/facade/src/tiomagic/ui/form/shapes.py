"""Sizes and lengths as people think of them: 16:9, 720p, 5 seconds; as legal values."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from tiomagic.ui.form.shots import GIVEN, Shot
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.features import Feature
from tiomagic_domain.requests.asked_sizes import offer_sizes, resolve_asked_sizes
from tiomagic_domain.schema.sizes import ASPECT, RESOLUTION, SECONDS

LENGTHS: Final = (1, 2, 3, 5, 8, 10)
"""Lengths in seconds."""
DEFAULT_SIZE: Final = "own"
"""The size that the model or the picture decides."""
SIZE_NAMES: Final = ("width", "height", "num_frames")
"""What a shape or a length is made of."""


def shapes_of(card: ModelCard, feature: Feature) -> list[str]:
    """Return the shapes and resolutions that a model can make; none if it has one size only."""
    return list(_shapes_of(card.name, feature))


@lru_cache(maxsize=200)
def _shapes_of(model: str, feature: Feature) -> tuple[str, ...]:
    """Return them by the model's name: trying all of them takes a tenth of a second."""
    offered = offer_sizes(models()[model], feature)
    found = [offered.get(name, []) for name in (ASPECT, RESOLUTION)]
    return tuple(shape for names in found if len(names) > 1 for shape in names)


def lengths_of(card: ModelCard, feature: Feature, shot: Shot = Shot.SINGLE) -> list[int]:
    """Return the lengths in seconds that a model can make; none if it has one length only.

    Args:
        card: The model.
        feature: What it is to do.
        shot: What is made. Of one that goes on it is the new part alone.
    """
    made = {one: _resolve(card, feature, SECONDS, one, shot) for one in LENGTHS}
    found = [one for one, values in made.items() if values]
    return found if len({tuple(values.items()) for values in made.values() if values}) > 1 else []


def values_of(
    card: ModelCard, feature: Feature, shape: str, shot: Shot = Shot.SINGLE
) -> dict[str, Any]:
    """Return the values of a shape such as ``16:9`` or ``720p``, or of a length such as ``5s``.

    Nothing for what the model cannot make. Arguments as for :func:`lengths_of`.
    """
    if shape == DEFAULT_SIZE:
        return {"width": "", "height": ""}
    if shape in shapes_of(card, feature):
        return _resolve(card, feature, *next(iter(term_of(shape).items())))
    seconds = [one for one in lengths_of(card, feature, shot) if shape == f"{one}s"]
    return _resolve(card, feature, SECONDS, seconds[0], shot) if seconds else {}


def term_of(shape: str) -> dict[str, Any]:
    """Return a shape or a length in the user's terms, such as ``{"aspect": "16:9"}``.

    Nothing for the size that the model decides.
    """
    if shape == DEFAULT_SIZE:
        return {}
    if shape.removesuffix("s").isdecimal():
        return {SECONDS: int(shape.removesuffix("s"))}
    return {ASPECT if ":" in shape else RESOLUTION: shape}


def _resolve(
    card: ModelCard, feature: Feature, name: str, value: object, shot: Shot = Shot.SINGLE
) -> dict[str, Any]:
    """Return frames or pixels; nothing where the model makes something else."""
    if name not in {term.name for term in card.schema(feature).sizes}:
        return {}
    found = resolve_asked_sizes(card, feature, {name: value, **GIVEN[shot]})
    if found.problems or found.notes:
        return {}
    return {name: v for name, v in found.arguments.items() if name in SIZE_NAMES}
