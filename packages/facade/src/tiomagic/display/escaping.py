"""Text of other people as what it is in HTML and JSON: characters, and no markup."""

from __future__ import annotations

import html
import re
from typing import Final

REPLACEMENT: Final = "\ufffd"
"""Stands where something was that is no character."""
_INVALID_CHARACTERS: Final = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Half characters, which no encoding has, and control codes but tab, line feed and return."""


def replace_invalid_characters(text: str) -> str:
    """Return a text with a replacement for each part that is no character."""
    return _INVALID_CHARACTERS.sub(REPLACEMENT, text)


def escape(text: object) -> str:
    """Return a text that is one wherever it stands in HTML, also between quotes."""
    return html.escape(replace_invalid_characters(str(text)), quote=True)
