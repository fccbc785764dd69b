"""Text at the borders: decodes or refuses input, and makes output safe.

Python's strings may contain lone surrogates, which stand for bytes that are not UTF-8 (PEP 383) and
which no file and no terminal can hold. Terminals obey control codes of any text. Both are handled
only here:

=======================  =========================================================================
what                     for
=======================  =========================================================================
:func:`decode_text`          bytes that come in: UTF-8, or UTF-16 and UTF-32 with a byte order mark
:func:`find_text_flaw`             text that comes in: says what is wrong with it, to be refused
:func:`make_storable`         text that is to be kept all the same: a half becomes an escape
:func:`make_data_storable`    the same for plain data, which then has a form in JSON
:func:`escape_control_characters`            text that a person sees: control codes become escapes
as well
:func:`to_json`          plain data as JSON that any stream takes and no terminal obeys
=======================  =========================================================================
"""

from __future__ import annotations

import codecs
import math
import re
from collections.abc import Mapping
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode

_SURROGATE: Final = re.compile("[\ud800-\udfff]")

# Tabs and line ends are content. The second line has characters that reverse the direction of text
# or break lines; joiners stay, because emoji need them.
_CONTROL_CHARACTER: Final = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\ufffb"
    "\ud800-\udfff]"
)

_MARKS: Final = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # Before UTF-16, whose mark is a prefix of this one.
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


def decode_text(content: bytes, what: str) -> str:
    """Decode bytes: UTF-8, or the encoding of the byte order mark, which is removed.

    Args:
        content: Of a file or a pipe.
        what: Names it in the error.

    Raises:
        ValidationError: when it is in another encoding.
    """
    marks = (known for known in _MARKS if content.startswith(known[0]))
    mark, encoding = next(marks, (b"", "utf-8"))
    try:
        return content[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        from tiomagic_domain.errors import ValidationError  # noqa: PLC0415  # Not for --help.

        guess = "UTF-16 without a byte order mark" if b"\0" in content[:64] else "Latin-1"
        raise ValidationError(
            f"{what} is not UTF-8: byte {error.start + len(mark)} does not fit. It may be "
            f"{guess}; save it as UTF-8",
            code=ErrorCode.NOT_UTF8,
            details={"place": error.start + len(mark)},
        ) from error


def find_text_flaw(text: str) -> str | None:
    """Return why a text cannot be stored or encoded, or None."""
    half = _SURROGATE.search(text)
    if half is None:
        return None
    return (
        f"has half of a character at place {half.start()} (U+{ord(half[0]):04X}), which UTF-8 "
        "cannot hold: the text was cut, or read in another encoding than it was written in"
    )


def make_storable(text: str) -> str:
    """Return the text with an escape for each lone surrogate, and for NUL."""
    return _SURROGATE.sub(_escape, text).replace("\0", "\\x00")


def make_data_storable(value: Any) -> Any:
    """Return plain data that JSON can hold: storable texts, no NaN, lists and dicts.

    Other values become their ``str``.
    """
    match value:
        case bool() | None | int():
            return value
        case str():
            return make_storable(str.__str__(value))
        case float():
            return float(value) if math.isfinite(value) else None
        case Mapping():
            return {
                make_storable(str(key)): make_data_storable(part) for key, part in value.items()
            }
        case list() | tuple() | set() | frozenset():
            return [make_data_storable(part) for part in value]
    return make_storable(str(value))


def escape_control_characters(text: str) -> str:
    r"""Return the text for display: control codes become escapes such as ``\x1b``, lines stay."""
    return _CONTROL_CHARACTER.sub(_escape, text)


def to_json(value: Any, *, indent: int | None = None, ascii_only: bool = False) -> str:
    r"""Return plain data as JSON; what a terminal would obey is written as ``\u009b``.

    Args:
        value: See :func:`make_data_storable`.
        indent: Blanks a level; None for one line.
        ascii_only: True for a stream that has no other characters.
    """
    import json  # noqa: PLC0415  # Not for --help.

    text = json.dumps(make_data_storable(value), indent=indent, ensure_ascii=ascii_only)
    # Outside of strings JSON has no such characters except line ends.
    return _CONTROL_CHARACTER.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def _escape(found: re.Match[str]) -> str:
    number = ord(found[0])
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"
