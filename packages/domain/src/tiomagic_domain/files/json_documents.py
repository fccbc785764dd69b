"""Parses untrusted JSON, with limits on size, depth and numbers.

Python's own parser recurses without a limit of its own, accepts numbers of any length, and NaN.
Documents that pass here are safe for all other code.
"""

from __future__ import annotations

import json
import math
import re
from typing import Any, Final, NoReturn

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.text import decode_text

MAX_DOCUMENT_BYTES: Final = 4 * 2**20
"""Most bytes of a document. A recipe has some thousand."""
MAX_NESTING_DEPTH: Final = 32
"""Deepest nesting; a recipe has five levels."""
MAX_NUMBER_LENGTH: Final = 40
"""Most characters of a number; a float with an exponent has 24."""

# It gives nothing back, and takes a text without an end too: else the time for a long text is
# quadratic, and the memory a hundred times its length.
_PARTS: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|([\[{])|([\]}])|,', re.DOTALL)


def read_json(
    content: bytes | str,
    what: str,
    *,
    longest: int = MAX_DOCUMENT_BYTES,
    most_parts: int | None = None,
) -> Any:
    """Parse a document.

    Args:
        content: The document; bytes are UTF-8, or UTF-16 with a byte order mark.
        what: Names it in the error.
        longest: Most bytes or characters.
        most_parts: Most texts, brackets and commas together; None for any number. Small parts take
            up to 30 times their length in memory.

    Raises:
        ValidationError: when it is not valid JSON, or exceeds a limit.
    """
    if len(content) > longest:
        raise _refused(what, f"has {len(content):,} bytes, more than {longest:,}")
    text = (
        decode_text(content, what) if isinstance(content, bytes) else content.removeprefix("\ufeff")
    )
    _check_parts(text, what, most_parts)
    try:
        return json.loads(
            text, parse_int=_whole, parse_float=_fraction, parse_constant=_no_constant
        )
    except (ValueError, RecursionError) as error:
        raise _refused(what, f"is no JSON: {error}") from error


def _check_parts(text: str, what: str, most: int | None) -> None:
    depth = 0
    for number, found in enumerate(_PARTS.finditer(text), 1):
        if most is not None and number > most:
            raise _refused(what, f"has more than {most:,} texts, brackets and commas")
        depth += bool(found[1]) - bool(found[2])
        if depth > MAX_NESTING_DEPTH:
            raise _refused(what, f"is nested more than {MAX_NESTING_DEPTH} deep")


def _whole(digits: str) -> int:
    return int(_short(digits))


def _fraction(digits: str) -> float:
    number = float(_short(digits))
    if not math.isfinite(number):
        raise ValueError(f"{digits} is more than a number can be")
    return number


def _short(digits: str) -> str:
    if len(digits) > MAX_NUMBER_LENGTH:
        raise ValueError(f"a number of {len(digits)} characters, more than {MAX_NUMBER_LENGTH}")
    return digits


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def _refused(what: str, why: str) -> ValidationError:
    return ValidationError(f"{what} {why}", code=ErrorCode.NOT_JSON)
