"""What pydantic finds wrong, as problems in our words: its own name a page of its website."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from tiomagic_domain.errors import Problem
from tiomagic_domain.suggestions import shorten_repr

_MESSAGES: Final[Mapping[str, str]] = {
    "missing": "is needed",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "string_type": "must be a text",
    "dict_type": "must be an object",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
}
"""What is said for each kind of error; its context fills the braces."""


def read_schema_errors(errors: Iterable[Mapping[str, Any]], *, skip: int = 0) -> list[Problem]:
    """Return the problems that pydantic has found.

    Args:
        errors: Of its ``ValidationError``.
        skip: How many parts at the beginning of a place are no names of the caller's.
    """
    return [_read(one, skip) for one in errors]


def _read(one: Mapping[str, Any], skip: int) -> Problem:
    place = [str(part) for part in one["loc"]]
    is_missing = one["type"] == "missing"  # Its input is all that was given beside it.
    message = _MESSAGES.get(one["type"])
    return Problem(
        field=".".join(place[skip:]) or ".".join(place) or "arguments",
        message=str(one["msg"]) if message is None else message.format(**one.get("ctx", {})),
        given="nothing" if is_missing else shorten_repr(one.get("input")),
    )
