"""Kinds of values, and what can be said of a value before any limit of a parameter."""

from __future__ import annotations

import math
from collections.abc import Mapping
from enum import Enum, StrEnum
from typing import Final

from tiomagic_domain.suggestions import closest, shortened


class Kind(StrEnum):
    """The kind of value that a parameter takes."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    LIST = "list"
    OBJECT = "object"
    IMAGE = "image"
    VIDEO = "video"

    @property
    def python_type(self) -> type:
        """The class that the documented schema shows for this kind."""
        return _PYTHON_TYPES[self]

    @property
    def is_media(self) -> bool:
        """True for a picture or a video, which is given as a path, a URL, bytes or an object."""
        return self in {Kind.IMAGE, Kind.VIDEO}


_PYTHON_TYPES: Final[dict[Kind, type]] = {
    Kind.STRING: str,
    Kind.INTEGER: int,
    Kind.NUMBER: float,
    Kind.BOOLEAN: bool,
    Kind.LIST: list,
    Kind.OBJECT: dict,
    Kind.IMAGE: str,
    Kind.VIDEO: str,
}


class Unset(Enum):
    """Says that nothing was given where None would be a value."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Rejected(Exception):  # noqa: N818 - carries a problem to the validator, never to a caller
    """A value that a parameter refuses."""

    def __init__(self, message: str, nearest: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.nearest = nearest


def finite(value: object, wanted: str) -> float:
    """Return a value that is a finite number.

    Args:
        value: What was given.
        wanted: What it should be, such as ``a whole number``.

    Raises:
        Rejected: when it is none.
    """
    if isinstance(value, str):
        raise Rejected(f"must be {wanted}, not the text {shortened(value)}")
    # bool is an int to Python, and never what somebody meant by a number of frames.
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Rejected(f"must be {wanted}, not {type_name(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        raise Rejected(f"must be {wanted}, not {value!r}")
    return value


def check_media(kind: Kind, value: object) -> object:
    """Refuse what cannot be a source of media; what it holds is the media reader's business."""
    if isinstance(value, str) and not value.strip():
        raise Rejected(f"must be the path or URL of {_a(kind)}, not an empty text")
    if value is None or isinstance(value, bool | int | float | list | tuple | set):
        raise Rejected(f"must be the path, URL or bytes of {_a(kind)}, not {type_name(value)}")
    if isinstance(value, Mapping) and not isinstance(value.get("sha256"), str):
        raise Rejected(f"must be {_a(kind)}; this dict is no reference to one: it has no sha256")
    return value


def _a(kind: Kind) -> str:
    return "an image" if kind is Kind.IMAGE else "a video"


def type_name(value: object) -> str:
    """Return the class of a value and the value, in short."""
    return "None" if value is None else f"{type(value).__name__} {shortened(value, 40)}"


def nearest_choice(choices: tuple[object, ...], value: object) -> object:
    """Return the choice that was most likely meant, or None."""
    if isinstance(value, int | float):
        numbers = [choice for choice in choices if isinstance(choice, int | float)]
        return min(numbers, key=lambda choice: abs(choice - value), default=None)
    return closest(value, (str(choice) for choice in choices))


JSON_TYPES: Final[dict[Kind, dict[str, object]]] = {
    Kind.STRING: {"type": "string"},
    Kind.INTEGER: {"type": "integer"},
    Kind.NUMBER: {"type": "number"},
    Kind.BOOLEAN: {"type": "boolean"},
    Kind.LIST: {"type": "array"},
    Kind.OBJECT: {"type": "object"},
    # In JSON a picture is a path, a URL or a data URL.
    Kind.IMAGE: {"type": "string", "pattern": r"\S", "x-tiomagic-media": "image"},
    Kind.VIDEO: {"type": "string", "pattern": r"\S", "x-tiomagic-media": "video"},
}
"""How JSON Schema says each kind."""
