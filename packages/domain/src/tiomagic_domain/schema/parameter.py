"""One parameter of a model: kind, limits, default and its source, and the check of a value."""

from __future__ import annotations

import math
import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from tiomagic_domain.errors import Problem
from tiomagic_domain.schema.kinds import (
    JSON_TYPES,
    UNSET,
    Kind,
    Rejected,
    as_list,
    check_media,
    is_listable,
    nearest_choice,
    plain_data,
    plain_text,
    require_finite,
    type_name,
    unwrap,
    validate_text,
)
from tiomagic_domain.suggestions import shorten_repr

__all__ = ["UNSET", "Kind", "Parameter", "Rejected", "describe_range"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameter:
    """A named value with its limits.

    A legal number is ``offset + k * multiple_of`` for a whole ``k``, between ``minimum`` and
    ``maximum``, both included. A frame count of the form 4k+1 has ``multiple_of=4, offset=1``.
    """

    name: str
    kind: Kind
    description: str
    required: bool = True
    default: object = UNSET
    """The value when nothing is given; UNSET when the model or the input decides."""
    minimum: float | None = None
    maximum: float | None = None
    multiple_of: int | None = None
    offset: int = 0
    choices: tuple[object, ...] = ()
    examples: tuple[object, ...] = ()
    """Usual values of a text that may have others."""
    elsewhere: Mapping[object, Callable[[], str]] = field(
        default_factory=lambda: MappingProxyType({}), hash=False
    )
    """Choices that only other models have, each with a function that returns the reason: which
    models have them is known only when the whole catalogue is."""
    pattern: str | None = None
    """A regular expression that a string must contain, in the common part of Python and ECMA."""
    pattern_hint: str = "does not have the right form"
    items: Kind | None = None
    """The kind of each item of a list."""
    fields: tuple[Parameter, ...] = ()
    """The fields of an object, or of each object of a list; empty for any object. For a string, an
    object with these fields may be given instead of a word."""
    path: bool = False
    """True for a text that may be a path; then path objects are accepted as well."""
    still: bool = False
    """True for a video in whose place one picture may be given, a video of one frame."""
    unit: str | None = None
    """Such as ``px``, ``frames``, ``s``; None for a bare number."""
    source: str | None = None
    """Where the default comes from: a model card, a paper, a measurement."""
    advanced: bool = False
    """True for a setting that most users leave alone."""

    def __post_init__(self) -> None:
        if self.offset and (self.minimum is None or self.maximum is None):
            msg = f"{self.name}: an offset needs a minimum and a maximum"
            raise ValueError(msg)  # JSON Schema can say it only as a list of values.
        bounded = self.minimum is not None and self.maximum is not None
        if bounded and self.multiple_of is not None and not self.legal_values():
            msg = f"{self.name}: no value is legal"
            raise ValueError(msg)

    def check(self, value: object) -> object:
        """Return the value in its plain form (an int for 81.0, a float for 5).

        Raises:
            Rejected: says what is legal.
        """
        if self.kind.is_media:
            return check_media(self.kind, value)
        if self.has_words and isinstance(value, Mapping):
            return _check_object(self, value)
        checked = _CHECKS[self.kind](self, value)
        if self.choices and checked not in self.choices:
            options = ", ".join(repr(choice) for choice in self.choices)
            nearest = nearest_choice(self.choices, checked)
            why = f"; {self.elsewhere[checked]()}" if checked in self.elsewhere else ""
            raise Rejected(f"must be one of {options}, not {shorten_repr(value)}{why}", nearest)
        return checked

    @property
    def has_words(self) -> bool:
        """True if the value may be one of some words, or an object."""
        return self.kind is Kind.STRING and bool(self.fields)

    @property
    def holds_media(self) -> bool:
        """True for a list whose entries have a picture or a video each."""
        return self.kind is Kind.LIST and any(field.kind.is_media for field in self.fields)

    def problem(self, value: object) -> Problem | None:
        """Return what is wrong with a value, or None."""
        try:
            self.check(value)
        except Rejected as rejected:
            return Problem(
                field=self.name,
                message=rejected.message,
                given=shorten_repr(value),
                nearest=rejected.nearest,
            )
        return None

    def legal_values(self) -> list[int]:
        """Return every legal value of a bounded parameter with steps, in order."""
        if self.minimum is None or self.maximum is None or self.multiple_of is None:
            msg = f"{self.name} has no list of legal values"
            raise ValueError(msg)
        first = math.ceil((self.minimum - self.offset) / self.multiple_of) * self.multiple_of
        return list(range(first + self.offset, math.floor(self.maximum) + 1, self.multiple_of))

    def nearest(self, value: float) -> float:
        """Return the nearest legal number; the lower of two that are equally far."""
        if self.minimum is not None:
            value = max(value, self.minimum)
        if self.maximum is not None:
            value = min(value, self.maximum)
        if self.multiple_of is None:
            return math.ceil(value - 0.5) if self.kind is Kind.INTEGER else value
        step, offset = self.multiple_of, self.offset
        # Ties go down: of two lengths or sizes, the one that costs less.
        stepped = math.ceil((value - offset) / step - 0.5) * step + offset
        # The limits themselves need not be legal steps.
        if self.minimum is not None and stepped < self.minimum:
            stepped += step
        if self.maximum is not None and stepped > self.maximum:
            stepped -= step
        return stepped

    def to_json_schema(self) -> dict[str, object]:
        """Return the parameter as JSON Schema (draft 2020-12)."""
        if self.has_words:
            word = {"type": "string", "enum": list(self.choices)}
            given = {**JSON_TYPES[Kind.OBJECT], **_fields_schema(self.fields)}
            schema: dict[str, object] = {"anyOf": [word, given]}
        else:
            schema = self._plain_json_schema()
        schema["description"] = self.description
        if self.default is not UNSET:
            schema["default"] = self.default
        return schema

    def _plain_json_schema(self) -> dict[str, object]:
        schema: dict[str, object] = dict(JSON_TYPES[self.kind])
        # JSON Schema has no offset for multipleOf.
        if self.offset:
            schema["enum"] = self.legal_values()
        elif self.choices:
            schema["enum"] = list(self.choices)
        elif self.multiple_of is not None:
            schema["multipleOf"] = self.multiple_of
        if self.minimum is not None:
            schema["minimum"] = self.minimum
        if self.maximum is not None:
            schema["maximum"] = self.maximum
        if self.pattern is not None:
            schema["pattern"] = self.pattern
        if self.examples:
            schema["examples"] = list(self.examples)
        if self.items is not None:
            schema["items"] = {**JSON_TYPES[self.items], **_fields_schema(self.fields)}
        elif self.fields:
            schema.update(_fields_schema(self.fields))
        return schema

    def to_dict(self) -> dict[str, object]:
        """Return the documented entry: ``type`` is the Python class itself."""
        entry: dict[str, object] = {"type": self.kind.python_type, "description": self.description}
        facts = {
            "default": self.default,
            "minimum": UNSET if self.minimum is None else self.minimum,
            "maximum": UNSET if self.maximum is None else self.maximum,
            "multiple_of": UNSET if self.multiple_of is None else self.multiple_of,
            "offset": self.offset or UNSET,
            "choices": list(self.choices) or UNSET,
            "examples": list(self.examples) or UNSET,
            "unit": self.unit or UNSET,
            "source": self.source or UNSET,
            "fields": {field.name: field.to_dict() for field in self.fields} or UNSET,
        }
        entry.update({key: value for key, value in facts.items() if value is not UNSET})
        return entry


def _check_string(parameter: Parameter, value: object) -> str:
    text = plain_text(value)
    if parameter.path and isinstance(text, os.PathLike):
        text = os.fsdecode(text)
    if not isinstance(text, str):
        raise Rejected(f"must be text, not {type_name(value)}")
    validate_text(text)
    if parameter.pattern is not None and re.search(parameter.pattern, text) is None:
        raise Rejected(parameter.pattern_hint)
    return text


def _check_boolean(_parameter: Parameter, value: object) -> bool:
    plain = unwrap(value)
    if not isinstance(plain, bool):
        raise Rejected(f"must be True or False, not {shorten_repr(value)}")
    return plain


def _check_integer(parameter: Parameter, value: object) -> int:
    number = require_finite(value, "a whole number")
    if number != int(number):
        nearest = parameter.nearest(number)
        raise Rejected(f"must be a whole number, not {number}; nearest: {nearest}", nearest)
    _check_range(parameter, number)
    return int(number)


def _check_number(parameter: Parameter, value: object) -> float:
    number = require_finite(value, "a number")
    _check_range(parameter, number)
    try:
        return float(number)
    except OverflowError:  # Only without a maximum: the number is too large for a float.
        raise Rejected(
            f"must be a number that a float can hold, not {shorten_repr(number)}"
        ) from None


def _check_range(parameter: Parameter, number: float) -> None:
    low, high, step = parameter.minimum, parameter.maximum, parameter.multiple_of
    outside = (low is not None and number < low) or (high is not None and number > high)
    uneven = step is not None and (number - parameter.offset) % step != 0
    if not outside and not uneven:
        return
    nearest = parameter.nearest(number)
    # Of one legal value the nearest is said already.
    tail = "" if low is not None and low == high else f"; nearest: {nearest}"
    raise Rejected(
        f"must be {describe_range(parameter)}, not {shorten_repr(number)}{tail}", nearest
    )


def describe_range(parameter: Parameter) -> str:
    """Return the legal numbers in words, such as ``a multiple of 16 between 16 and 1280``.

    One that is alone stands for itself.
    """
    low, high, step = parameter.minimum, parameter.maximum, parameter.multiple_of
    if low is not None and low == high:
        return f"{low:g}"
    form = "a number"
    if step is not None and parameter.offset:
        form = f"of the form {step}k+{parameter.offset}"
    elif step is not None:
        form = f"a multiple of {step}"
    if low is not None and high is not None:
        return f"{form} between {low} and {high}"
    if low is not None:
        return f"{form} of at least {low}"
    return f"{form} of at most {high}" if high is not None else form


def _check_list(parameter: Parameter, value: object) -> list[object]:
    if not is_listable(value):
        raise Rejected(f"must be a list, not {type_name(value)}")
    entries = as_list(value)
    try:
        if parameter.items is None:
            return [plain_data(entry) for entry in entries]
        item = Parameter(name="item", kind=parameter.items, description="", fields=parameter.fields)
        return [item.check(entry) for entry in entries]
    except Rejected as rejected:
        raise Rejected(f"has an item that {rejected.message}") from rejected


def _check_object(parameter: Parameter, value: object) -> dict[str, object]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise Rejected(f"must be a dict with text keys, not {type_name(value)}")
    if not parameter.fields:
        return {str(key): plain_data(part) for key, part in value.items()}
    known = {field.name: field for field in parameter.fields}
    for name in value:
        if name not in known:
            raise Rejected(f"has no field {shorten_repr(name)}; fields: {', '.join(known)}")
    return {name: _check_field(field, value) for name, field in known.items() if _has(field, value)}


def _has(field: Parameter, given: Mapping[str, object]) -> bool:
    return field.required or field.name in given or field.default is not UNSET


def _check_field(field: Parameter, given: Mapping[str, object]) -> object:
    if field.name not in given and field.required:
        raise Rejected(f"has no {field.name!r}: {field.description}")
    try:
        return field.check(given[field.name]) if field.name in given else field.default
    except Rejected as rejected:
        raise Rejected(f"has a field {field.name!r} that {rejected.message}") from rejected


def _fields_schema(fields: tuple[Parameter, ...]) -> dict[str, object]:
    if not fields:
        return {}
    return {
        "properties": {field.name: field.to_json_schema() for field in fields},
        "required": [field.name for field in fields if field.required],
        "additionalProperties": False,
    }


_CHECKS: Final = {
    Kind.STRING: _check_string,
    Kind.INTEGER: _check_integer,
    Kind.NUMBER: _check_number,
    Kind.BOOLEAN: _check_boolean,
    Kind.LIST: _check_list,
    Kind.OBJECT: _check_object,
}
