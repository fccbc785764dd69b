"""Parses JSON messages of a browser into plain data, with limits on size, depth and numbers.

==============  =================================================================================
what            becomes
==============  =================================================================================
half character  the replacement character, as control codes do
large number    what a browser itself would make of it; infinite and no number is refused
file            ``{"path": id}``: no address, no other field, whatever the browser says of it
other objects   refused where an entry is expected
deep or wide    refused
==============  =================================================================================
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from tiomagic.display.escaping import replace_invalid_characters

MAX_MESSAGE_BYTES: Final = 2 * 2**20
"""Size of a message. The largest that the page sends is a form with its draft."""
MAX_DEPTH: Final = 8
"""Levels of arrays and objects; the page's own messages have four."""
MAX_VALUES: Final = 5_000
"""Values of a message, all levels together; the largest form has about a hundred."""
MAX_COMPONENT_ID: Final = 1_000_000
"""Gradio numbers the parts of a page, and continues the count for each new form."""
MAX_INTEGER_DIGITS: Final = 15
"""Digits of a whole number that a browser represents exactly."""

_CALL_KEYS: Final = frozenset({"data", "event_data", "fn_index", "trigger_id", "session_hash"})


class InvalidMessageError(Exception):
    """The message cannot come from our page; the text says why."""


def read_call(body: bytes) -> dict[str, Any]:
    """Return a call of a page's function, reduced to what Gradio needs.

    Raises:
        BadMessage: when it is something else.
    """
    call = parse_bounded_json(body)
    if not isinstance(call, dict):
        raise InvalidMessageError("an object was expected")
    # Unknown keys must not reach Gradio.
    call = {name: value for name, value in call.items() if name in _CALL_KEYS}
    entries = call.get("data")
    if not isinstance(entries, list):
        raise InvalidMessageError("data must be an array")
    for name in ("fn_index", "trigger_id"):
        number = call.get(name)
        if number is None and name != "fn_index":
            continue
        if (
            isinstance(number, bool)
            or not isinstance(number, int)
            or not 0 <= number < MAX_COMPONENT_ID
        ):
            raise InvalidMessageError(f"{name} must be a whole number")
    about = call.get("event_data")
    return {
        **call,
        "data": [_entry(entry) for entry in entries],
        "event_data": _plain_object(about) if isinstance(about, dict) else None,
    }


def parse_bounded_json(source: bytes | str) -> Any:
    """Parse a JSON text into plain and bounded data.

    Raises:
        BadMessage: when it is invalid, too large, too deep, or has NaN or infinities.
    """
    if len(source) > MAX_MESSAGE_BYTES:
        raise InvalidMessageError("it is too large")
    try:
        text = source if isinstance(source, str) else source.decode("utf-8")
        found = json.loads(text, parse_int=_whole, parse_float=_number, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InvalidMessageError("it is no JSON") from error
    return _Cleaner().clean(found, MAX_DEPTH)


def is_file(value: object) -> bool:
    """Return whether an entry is a file: an object with only an id."""
    return isinstance(value, dict) and set(value) == {"path"}


class _Cleaner:
    """Counts the values of one message."""

    def __init__(self) -> None:
        self._left = MAX_VALUES

    def clean(self, value: Any, depth: int) -> Any:
        self._left -= 1
        if self._left < 0 or depth < 0:
            raise InvalidMessageError("it is too deep, or has too many values")
        if isinstance(value, str):
            return replace_invalid_characters(value)
        if isinstance(value, list):
            return [self.clean(item, depth - 1) for item in value]
        if isinstance(value, dict):
            return {
                replace_invalid_characters(name): self.clean(item, depth - 1)
                for name, item in value.items()
            }
        return value


def _entry(value: Any) -> Any:
    """Return a value of a form: text, a number, a switch, a list of those, or a file."""
    if isinstance(value, dict):
        path = value.get("path")
        if not isinstance(path, str):
            raise InvalidMessageError("an object in a form must be a file")
        return {"path": path}
    if isinstance(value, list):
        if any(isinstance(item, list | dict) for item in value):
            raise InvalidMessageError("a list in a form holds texts and numbers")
        return value
    return value


def _plain_object(value: dict[str, Any]) -> dict[str, Any]:
    return {
        name: item
        for name, item in value.items()
        if not name.startswith("_") and not isinstance(item, list | dict)
    }


def _whole(digits: str) -> int | float:
    # Longer numbers are floats in the browser, too.
    return int(digits) if len(digits) <= MAX_INTEGER_DIGITS else _number(digits)


def _number(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError("a number has no end")
    return number


def _no_number(word: str) -> float:
    raise ValueError(f"{word} is no number")
