"""Entries of a form as arguments of a call, and which of them the user chose.

The schema checks the arguments.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import Any, Final

from tiomagic.ui.form.fields import Field, Widget
from tiomagic.ui.form.keyframe_rows import collect_keyframes
from tiomagic.ui.form.rows import Row, collect_commits, collect_loras, number_in
from tiomagic.ui.form.shots import URL_OF
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.suggestions import shorten_repr

COLLECTORS: Final[Mapping[Widget, Callable[[tuple[Row, ...], Mapping[str, Any]], Any]]] = (
    MappingProxyType(
        {
            Widget.LORAS: collect_loras,
            Widget.KEYFRAMES: collect_keyframes,
            Widget.COMMITS: collect_commits,
        }
    )
)
"""What makes a value of the rows of a field."""


def collect_arguments(fields: list[Field], entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of a call; empty and unchanged entries are left out.

    Args:
        fields: The form.
        entered: Values by the names of ``entries_of``; a picture or video as the path of a
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


def chosen_entries(fields: list[Field], entered: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries that the user chose: those that are not as the form came.

    Args:
        fields: The form in which they were entered.
        entered: Values by name. Names that the form does not have were chosen in another form.
    """
    resting = {
        name: value
        for field in fields
        for name, value in zip(field.entries, field.resting, strict=True)
    }
    return {
        name: value
        for name, value in entered.items()
        if name not in resting or not _rests(value, resting[name])
    }


def _rests(value: Any, resting: Any) -> bool:
    """Return whether an entry is as the form came; a typed number may be text."""
    if value is None:
        return True
    if isinstance(value, bool) or isinstance(resting, bool):
        return value is resting
    if isinstance(resting, int | float) and isinstance(value, str):
        value = number_in(value.strip())
    return bool(value == resting)


def _value(field: Field, entered: Mapping[str, Any]) -> Any:
    if field.widget in COLLECTORS:
        return COLLECTORS[field.widget](field.rows, entered)
    value = entered.get(field.name)
    if isinstance(value, str) and not value.strip():
        # An emptied text overrides a default; without a default it means "not given".
        return "" if field.default and field.widget is Widget.LINES else None
    if field.widget is Widget.NUMBER and isinstance(value, str):
        return number_in(value)
    structured = field.widget is Widget.JSON or (
        field.widget is Widget.WORD_OR_OBJECT and isinstance(value, str) and value.startswith("{")
    )
    if structured and isinstance(value, str):
        with suppress(ValueError):  # Invalid JSON stays text, and the schema reports the problem.
            return json.loads(value)
    return value


def _wrong_url(field: Field, file: Any, url: str) -> Problem | None:
    # A path would name a file of the machine that serves the page, not of the visitor's.
    if url and not url.lower().startswith(("http://", "https://", "data:")):
        message = "must be an address that begins with http:// or https://"
    elif url and file:
        message = "is given twice: as a file and as an address; take one away"
    else:
        return None
    return Problem(field=field.name, message=message, given=shorten_repr(url))
