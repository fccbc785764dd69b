"""The form of a model as plain data: the entries of each parameter, their labels and helps.

A setting has one entry; a picture or video has two, the file and its address; LoRAs, keyframes and
versions of weights have rows.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Final

from tiomagic.display.escaping import replace_invalid_characters
from tiomagic.ui.form import rows
from tiomagic.ui.form.keyframe_rows import are_keyframes, keyframe_rows
from tiomagic.ui.form.shots import URL_OF, Shot, find_shot, parameters_of
from tiomagic.ui.form.wording import ADDED_SECONDS, help_of, label_of, provenance_of
from tiomagic.ui.web.uploads import FormFile
from tiomagic_domain.catalogue.continuation import CONTINUED_VIDEO_ARGUMENT, LOOP_ARGUMENT
from tiomagic_domain.schema.keyframes import KEYFRAMES
from tiomagic_domain.schema.parameter import UNSET, Kind, Parameter
from tiomagic_domain.schema.schema import Schema
from tiomagic_domain.schema.sizes import SECONDS

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
    WORD_OR_OBJECT = "word_or_object"
    """One of some words; an object, as a recipe may have one, is kept as JSON."""
    SWITCH = "switch"
    IMAGE = "image"
    VIDEO = "video"
    LORAS = "loras"
    """A row for each LoRA."""
    KEYFRAMES = "keyframes"
    """A row for each picture at a moment."""
    COMMITS = "commits"
    """A row for each repository of the model."""
    JSON = "json"


ROWS: Final = frozenset({Widget.LORAS, Widget.KEYFRAMES, Widget.COMMITS})
"""The widgets that consist of rows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One parameter in a form."""

    name: str
    """The parameter's name."""
    widget: Widget
    label: str
    help: str
    provenance: str = ""
    """The default and its source; empty when there is none to tell."""
    value: Any = None
    """The initial value; a ``FormFile`` for a picture or video."""
    url: str = ""
    """The initial address of a picture or video."""
    default: Any = None
    """The default; None when the model or the input decides."""
    low: float | None = None
    high: float | None = None
    step: float | None = None
    choices: tuple[Any, ...] = ()
    rows: tuple[rows.Row, ...] = ()
    """The rows of LoRAs, keyframes and commits."""
    required: bool = False
    expert: bool = False
    """True for a field in the collapsed section."""

    @property
    def is_media(self) -> bool:
        """True for a picture or a video."""
        return self.widget in {Widget.IMAGE, Widget.VIDEO}

    @property
    def files(self) -> list[str]:
        """The names of its entries that hold a file."""
        if self.is_media:
            return [self.name]
        return [entry.name for row in self.rows for entry in row.entries if entry.is_picture]

    @property
    def entries(self) -> list[str]:
        """The names of its entries, in order."""
        if self.is_media:
            return [self.name, URL_OF.format(name=self.name)]
        if self.widget in ROWS:
            return [entry.name for row in self.rows for entry in row.entries]
        return [self.name]

    @property
    def initial(self) -> list[Any]:
        """What each entry holds at first, as a browser writes it."""
        if self.is_media:
            return [self.value.as_entry() if self.value is not None else None, self.url]
        if self.widget in ROWS:
            return [entry.initial for row in self.rows for entry in row.entries]
        if self.value is None:
            return [""]
        return [str(self.value) if self.widget is Widget.NUMBER else self.value]

    @property
    def resting(self) -> list[Any]:
        """What each entry holds when nobody has chosen anything."""
        if self.widget in ROWS:
            return [entry.resting for row in self.rows for entry in row.entries]
        if self.is_media:
            return [None, ""]
        if self.default is None:
            return [""]
        return [str(self.default) if self.widget is Widget.NUMBER else self.default]


def fields_of(schema: Schema, values: Mapping[str, Any] | None = None) -> list[Field]:
    """Return the fields of a form, the most needed first; none for what a form cannot show.

    Args:
        schema: What the model takes.
        values: Initial values that replace defaults, by the names of parameters or of entries;
            names that the schema lacks are ignored.
    """
    given = values or {}
    shot = find_shot(schema, given)
    shown = [one for one in parameters_of(schema, shot) if _has_place(one)]
    fields = [_field(parameter, given) for parameter in shown]
    if shot is Shot.CONTINUATION:
        fields = [_for_more(field) for field in fields]
    return sorted(fields, key=lambda field: (field.expert, _place(field)))


def _for_more(field: Field) -> Field:
    """Return a field of a shot that goes on: its length is what is added."""
    if field.name == SECONDS:
        label, text = ADDED_SECONDS
        return replace(field, label=label, help=text)
    # Its frames are also those that the model sees of the old part.
    return replace(field, expert=True) if field.name == "num_frames" else field


def _has_place(parameter: Parameter) -> bool:
    """Return whether a form can show a parameter.

    Any other list of pictures would be text, in which a visitor could name files of this machine.
    """
    return not parameter.holds_media or are_keyframes(parameter)


def entries_of(fields: list[Field]) -> list[str]:
    """Return the names of all entries, in order."""
    return [name for field in fields for name in field.entries]


def resting_entries(fields: list[Field]) -> list[Any]:
    """Return what each of :func:`entries_of` holds when nobody has chosen anything."""
    return [value for field in fields for value in field.resting]


def _place(field: Field) -> int:
    """Return the sort key of a field: required ones, other media, what goes with them, the rest."""
    if field.required and not field.is_media:
        return 0
    if field.is_media:
        return 2 if field.name == CONTINUED_VIDEO_ARGUMENT else 1
    return 3 if field.name in {LOOP_ARGUMENT, SECONDS} else 4 if field.name == KEYFRAMES else 5


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
    if widget in {Widget.JSON, Widget.WORD_OR_OBJECT} and isinstance(value, list | dict):
        value = replace_invalid_characters(json.dumps(value))
    url = given.get(URL_OF.format(name=parameter.name))
    return Field(
        name=parameter.name,
        widget=widget,
        label=label_of(parameter),
        help=help_of(parameter, slides=widget is Widget.SLIDER),
        provenance=provenance_of(parameter),
        value=value,
        url=replace_invalid_characters(url) if isinstance(url, str) else "",
        default=default,
        low=low,
        high=high,
        step=step,
        choices=parameter.choices,
        rows=_rows(widget, parameter, given),
        required=parameter.required,
        expert=parameter.advanced or _is_fixed(parameter),
    )


def _rows(widget: Widget, parameter: Parameter, given: Mapping[str, Any]) -> tuple[rows.Row, ...]:
    match widget:
        case Widget.LORAS:
            return rows.lora_rows(parameter, given)
        case Widget.KEYFRAMES:
            return keyframe_rows(parameter, given)
        case Widget.COMMITS:
            return rows.commit_rows(parameter, given)
    return ()


def _first(widget: Widget, value: Any, default: Any) -> Any:  # noqa: PLR0911 - one line a kind
    """Return the initial value of an entry from the value of a job or a draft.

    Both may come from another version or an untrusted source: values that do not fit are ignored.
    """
    match widget:
        case Widget.IMAGE | Widget.VIDEO:
            return value if isinstance(value, FormFile) else None
        case Widget.SWITCH:
            return value if isinstance(value, bool) else default
        case Widget.LORAS | Widget.KEYFRAMES | Widget.COMMITS:
            return default
        case Widget.JSON | Widget.WORD_OR_OBJECT if isinstance(value, list | dict):
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
            return _rows_widget(parameter)
        case Kind.STRING if parameter.has_words:
            return Widget.WORD_OR_OBJECT
        case _ if parameter.choices:
            return Widget.CHOICE
        case Kind.STRING:
            return Widget.LINES if "prompt" in parameter.name else Widget.LINE
        case _:
            return Widget.SLIDER if _can_slide(parameter) else Widget.NUMBER


def _rows_widget(parameter: Parameter) -> Widget:
    if parameter.kind is Kind.LIST and rows.are_loras(parameter):
        return Widget.LORAS
    if are_keyframes(parameter):
        return Widget.KEYFRAMES
    has_commits = parameter.kind is Kind.OBJECT and rows.are_commits(parameter)
    return Widget.COMMITS if has_commits else Widget.JSON


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
