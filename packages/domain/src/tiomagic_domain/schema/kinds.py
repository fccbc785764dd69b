"""Kinds of values (number, text, media …), and the conversion of a value before limits apply."""

from __future__ import annotations

import math
import operator
import os
from collections.abc import Mapping
from enum import Enum, StrEnum
from numbers import Integral, Rational, Real
from typing import Any, Final

from tiomagic_domain.suggestions import closest, shorten_repr
from tiomagic_domain.text import find_text_flaw


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
    """Means "not given" where None is a legal value."""

    UNSET = "unset"


UNSET: Final = Unset.UNSET


class Rejected(Exception):  # noqa: N818 - carries a problem to the validator, never to a caller
    """A value that a parameter refuses."""

    def __init__(self, message: str, nearest: object = None) -> None:
        super().__init__(message)
        self.message = message
        self.nearest = nearest


def unwrap(value: object) -> object:
    """Return the plain value of a library's scalar or an enumeration's member, else the value.

    A scalar of numpy or torch, an array without axes, a member of an ``Enum``.
    """
    if isinstance(value, Enum):
        return unwrap(value.value)
    # Their scalars have a shape without axes and give Python's own value by item().
    if _is_scalar(value):
        holder: Any = value
        try:
            return holder.item()
        except (RuntimeError, TypeError, ValueError):
            return value  # A tensor without data, such as one of the meta device.
    return value


def _is_scalar(value: object) -> bool:
    shape: Any = getattr(value, "shape", None)
    return hasattr(value, "item") and shape is not None and len(shape) == 0


def require_finite(value: object, wanted: str) -> float:
    """Return a value that is a finite number, as Python's own int or float.

    Integral numbers, fractions, decimals, and scalars of numpy and torch are numbers.

    Args:
        value: What was given.
        wanted: What it should be, such as ``a whole number``.

    Raises:
        Rejected: when it is not a number.
    """
    plain = unwrap(value)
    if isinstance(plain, str):
        raise Rejected(f"must be {wanted}, not the text {shorten_repr(plain)}")
    # bool is a subclass of int, but never a meant number of frames.
    if isinstance(plain, bool) or not _is_number(plain):
        raise Rejected(f"must be {wanted}, not {type_name(value)}")
    number = _number(plain)
    if number is None or (isinstance(number, float) and not math.isfinite(number)):
        raise Rejected(f"must be {wanted}, not {shorten_repr(plain)}")
    return number


def _is_number(value: object) -> bool:
    # Decimal is registered as Number but not as Real; complex numbers are Number too.
    return isinstance(value, Real) or type(value).__name__ == "Decimal" or _has_index(value)


def _has_index(value: object) -> bool:
    # Arrays and tensors with axes have the method as well.
    return hasattr(value, "__index__") and not hasattr(value, "shape")


def _number(value: Any) -> int | float | None:
    """Return a number as int or float; None when neither holds it."""
    if isinstance(value, float):
        return float(value)
    try:
        if isinstance(value, Integral) or _has_index(value):
            return operator.index(value)
        # A fraction or a decimal that is whole stays exact.
        if isinstance(value, Rational) and value.denominator == 1:
            return int(value.numerator)
        return float(value)
    except (OverflowError, TypeError, ValueError):
        return None


def plain_text(value: object) -> object:
    """Return a text as Python's own ``str``; any other value as it is."""
    plain = unwrap(value)
    # A subclass of str may have another __str__; this is its text.
    return str.__str__(plain) if isinstance(plain, str) else plain


def plain_data(value: object) -> object:
    """Return data without a schema as JSON holds it.

    Raises:
        Rejected: names the part that JSON cannot hold.
    """
    plain = unwrap(value)
    match plain:
        case None | bool():
            return plain
        case str():
            return validate_text(str.__str__(plain))
        case os.PathLike():
            return validate_text(os.fsdecode(plain))
        case Mapping():
            return {_key(key): plain_data(part) for key, part in plain.items()}
    if is_listable(plain):
        return [plain_data(part) for part in as_list(plain)]
    return require_finite(plain, "a number, a text, a list or a dict")


def _key(key: object) -> str:
    plain = plain_text(key)
    if not isinstance(plain, str):
        raise Rejected(f"has a key that must be text, not {type_name(key)}")
    return validate_text(plain)


def validate_text(text: str) -> str:
    """Return a text that UTF-8 can hold.

    Raises:
        Rejected: when it cannot.
    """
    wrong = find_text_flaw(text)
    if wrong is not None:
        raise Rejected(wrong)
    return text


def is_listable(value: object) -> bool:
    """Return True for a list, a tuple, a range, or an array with axes."""
    return isinstance(value, list | tuple | range) or _has_axes(value)


def as_list(value: Any) -> list[object]:
    """Return such a value as a list."""
    return list(value.tolist() if _has_axes(value) else value)


def _has_axes(value: object) -> bool:
    return bool(getattr(value, "shape", ())) and callable(getattr(value, "tolist", None))


def check_media(kind: Kind, value: object) -> object:
    """Refuse what cannot be a source of media; the media reader checks the content."""
    if isinstance(value, str) and not value.strip():
        raise Rejected(f"must be the path or URL of {_a(kind)}, not an empty text")
    if kind is Kind.VIDEO and isinstance(value, list | tuple) and value:
        return value  # Its frames.
    if value is None or isinstance(value, bool | int | float | list | tuple | set):
        raise Rejected(f"must be the path, URL or bytes of {_a(kind)}, not {type_name(value)}")
    if isinstance(value, Mapping) and not isinstance(value.get("sha256"), str):
        raise Rejected(f"must be {_a(kind)}; this dict is not a reference to one: it has no sha256")
    return value


def _a(kind: Kind) -> str:
    return "an image" if kind is Kind.IMAGE else "a video"


def type_name(value: object) -> str:
    """Return the class of a value and the value, in short."""
    return "None" if value is None else f"{type(value).__name__} {shorten_repr(value, 40)}"


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
"""Each kind in JSON Schema."""
