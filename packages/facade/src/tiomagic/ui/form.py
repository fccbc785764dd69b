"""The form of a model as plain data: the widget, label and help of each parameter.

It also converts entries to arguments; the schema checks them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tiomagic.display.escaping import replace_invalid_characters
from tiomagic.ui.web.uploads import FormFile
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter, describe_range
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.suggestions import shorten_repr

URL_OF: Final = "{name}_url"
"""Name of the entry for the address of a picture or a video."""
FINE_STEPS: Final = (0.1, 0.05, 0.01, 0.005, 0.001)
"""Steps of a slider for fractions; the first of which the default is a multiple is taken."""


class Widget(StrEnum):
    """How a value is entered."""

    LINES = "lines"
    """Text of several lines."""
    LINE = "line"
    NUMBER = "number"
    """A typed number, which may be empty."""
    SLIDER = "slider"
    CHOICE = "choice"
    WORD_OR_JSON = "word_or_json"
    """One of some words, or an object as JSON."""
    SWITCH = "switch"
    IMAGE = "image"
    VIDEO = "video"
    JSON = "json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One entry of a form."""

    name: str
    """The parameter's name."""
    widget: Widget
    label: str
    help: str
    value: Any = None
    """The initial value; a ``File`` for a picture or video."""
    url: str = ""
    """The initial address of a picture or video."""
    default: Any = None
    """The default; None when the model or the input decides."""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    required: bool = False
    expert: bool = False
    """True for a field in the collapsed section."""

    @property
    def is_media(self) -> bool:
        """True for a picture or a video."""
        return self.widget in {Widget.IMAGE, Widget.VIDEO}


def fields_of(schema: Schema, values: Mapping[str, Any] | None = None) -> list[Field]:
    """Return the entries of a form, the most needed first.

    Args:
        schema: What the model takes.
        values: Initial values that replace defaults; names that the schema lacks are ignored.
    """
    given = values or {}
    fields = [_field(parameter, given) for parameter in schema.parameters]
    return sorted(fields, key=lambda field: (field.expert, _place(field)))


def entries_of(fields: list[Field]) -> list[str]:
    """Return the names of the entries, in order: a picture or video has two."""
    names = []
    for field in fields:
        names += [field.name, URL_OF.format(name=field.name)] if field.is_media else [field.name]
    return names


def collect_arguments(fields: list[Field], entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call; empty and unchanged entries are left out.

    Args:
        fields: The form.
        entered: Values by the names of :func:`entries_of`; a picture or video as the path of a
            file on this machine, which a browser cannot choose: see ``browser_input.read_entries``.

    Raises:
        ValidationError: when a picture or video is given in two ways, or as no URL.
    """
    arguments, problems = {}, []
    for field in fields:
        value = _value(field, entered)
        if field.is_media:
            url = str(entered.get(URL_OF.format(name=field.name)) or "").strip()
            wrong = _wrong_url(field, value, url)
            problems += [] if wrong is None else [wrong]
            value = url or value
        if value is not None and value != field.default:
            arguments[field.name] = value
    if problems:
        raise ValidationError.of(problems, subject="the form")
    return arguments


def _place(field: Field) -> int:
    """Return the sort key of a field: required ones, then other media, then the rest."""
    return 0 if field.required and not field.is_media else 1 if field.is_media else 2


def _value(field: Field, entered: Mapping[str, Any]) -> Any:
    value = entered.get(field.name)
    if isinstance(value, str) and not value.strip():
        # An emptied text overrides a default; without a default it means "not given".
        return "" if field.default and field.widget is Widget.LINES else None
    if field.widget is Widget.NUMBER and isinstance(value, str):
        return _number(value)
    structured = field.widget is Widget.JSON or (
        field.widget is Widget.WORD_OR_JSON and isinstance(value, str) and value.startswith("{")
    )
    if structured and isinstance(value, str):
        with suppress(ValueError):  # Invalid JSON stays text, and the schema reports the problem.
            return json.loads(value)
    return value


def _number(text: str) -> Any:
    """Return the number in a text, or else the text, which the schema refuses."""
    for kind in (int, float):
        with suppress(ValueError):
            return kind(text)
    return text


def _wrong_url(field: Field, file: Any, url: str) -> Problem | None:
    # A path would be read on the machine that serves the page, not on the visitor's.
    if url and not url.lower().startswith(("http://", "https://", "data:")):
        message = "must be an address that begins with http:// or https://"
    elif url and file:
        message = "is given twice: as a file and as an address; take one away"
    else:
        return None
    return Problem(field=field.name, message=message, given=shorten_repr(url))


def _field(parameter: Parameter, given: Mapping[str, Any]) -> Field:
    widget = _widget(parameter)
    default = None if parameter.default is UNSET else parameter.default
    low, high, step = _slide(parameter) if widget is Widget.SLIDER else (None, None, None)
    value = default
    if parameter.name in given:
        value = _first(widget, given[parameter.name], default)
    if widget is Widget.SLIDER and not _within(value, low, high):
        value = default
    if widget is Widget.CHOICE and value not in parameter.choices:
        value = default
    if widget in {Widget.JSON, Widget.WORD_OR_JSON} and isinstance(value, list | dict):
        value = replace_invalid_characters(json.dumps(value))
    url = given.get(URL_OF.format(name=parameter.name))
    return Field(
        name=parameter.name,
        widget=widget,
        label=_label(parameter),
        help=_help(parameter, widget),
        value=value,
        url=replace_invalid_characters(url) if isinstance(url, str) else "",
        default=default,
        low=low,
        high=high,
        step=step,
        choices=parameter.choices,
        required=parameter.required,
        expert=parameter.advanced or _is_fixed(parameter),
    )


def _first(widget: Widget, value: Any, default: Any) -> Any:
    """Return the initial value of an entry from the value of a job or a draft.

    Both may come from another version or an untrusted source: values that do not fit are ignored.
    """
    match widget:
        case Widget.IMAGE | Widget.VIDEO:
            return value if isinstance(value, FormFile) else None
        case Widget.SWITCH:
            return value if isinstance(value, bool) else default
        case Widget.JSON | Widget.WORD_OR_JSON if isinstance(value, list | dict):
            return value
        case Widget.SLIDER | Widget.CHOICE:
            return value if isinstance(value, str | int | float) else default
    if value is None or isinstance(value, FormFile | list | dict | bool):
        return default
    return replace_invalid_characters(value) if isinstance(value, str) else value


def _widget(parameter: Parameter) -> Widget:  # noqa: PLR0911 - one line a kind
    match parameter.kind:
        case Kind.IMAGE:
            return Widget.IMAGE
        case Kind.VIDEO:
            return Widget.VIDEO
        case Kind.BOOLEAN:
            return Widget.SWITCH
        case Kind.LIST | Kind.OBJECT:
            return Widget.JSON
        case Kind.STRING if parameter.has_words:
            return Widget.WORD_OR_JSON
        case _ if parameter.choices:
            return Widget.CHOICE
        case Kind.STRING:
            return Widget.LINES if "prompt" in parameter.name else Widget.LINE
        case _:
            return Widget.SLIDER if _can_slide(parameter) else Widget.NUMBER


def _can_slide(parameter: Parameter) -> bool:
    bounded = parameter.minimum is not None and parameter.maximum is not None
    return bounded and parameter.default is not UNSET and not _is_fixed(parameter)


def _is_fixed(parameter: Parameter) -> bool:
    """Return whether there is only one legal value."""
    low, high = parameter.minimum, parameter.maximum
    return low is not None and low == high


def _slide(parameter: Parameter) -> tuple[float, float, float]:
    """Return the ends and the step of a slider on which every position is legal."""
    low, high = float(parameter.minimum or 0), float(parameter.maximum or 0)
    if parameter.kind is Kind.NUMBER:
        off = (float(str(parameter.default)) - low) if parameter.default is not UNSET else 0.0
        meets = (step for step in FINE_STEPS if abs(off / step - round(off / step)) < 1e-6)
        return low, high, next(meets, FINE_STEPS[-1])
    if parameter.multiple_of is None:
        return int(low), int(high), 1
    legal = parameter.legal_values()
    return legal[0], legal[-1], parameter.multiple_of


def _within(value: object, low: float | None, high: float | None) -> bool:
    if low is None or high is None or isinstance(value, bool):
        return False
    if not isinstance(value, int | float):
        return False
    return low <= value <= high


def _label(parameter: Parameter) -> str:
    words = parameter.name.removeprefix("num_").replace("_", " ")
    unit = parameter.unit
    tail = f" ({unit})" if unit and unit not in words else ""
    return f"{words[:1].upper()}{words[1:]}{tail}"


def _help(parameter: Parameter, widget: Widget) -> str:
    parts = [parameter.description]
    limits = describe_range(parameter)
    # A slider shows its limits itself.
    says_more = widget is Widget.NUMBER or parameter.multiple_of is not None
    if says_more and limits != "a number" and not _is_fixed(parameter):
        parts.append(f"{limits[:1].upper()}{limits[1:]}.")
    if parameter.source and parameter.default not in {UNSET, ""}:
        parts.append(f"Default {shorten_repr(parameter.default, 30)}: {parameter.source}.")
    return " ".join(part for part in parts if part)
