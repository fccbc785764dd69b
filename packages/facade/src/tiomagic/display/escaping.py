"""Escapes untrusted text for HTML and JSON, and replaces invalid characters."""

from __future__ import annotations

import html
import re
from typing import Final

REPLACEMENT: Final = "\ufffd"
"""Replaces what is not a character."""
_INVALID_CHARACTERS: Final = re.compile("[\ud800-\udfff\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
"""Lone surrogates, and control codes except tab, line feed and return."""


def replace_invalid_characters(text: str) -> str:
    """Return a text with a replacement for each invalid character."""
    return _INVALID_CHARACTERS.sub(REPLACEMENT, text)


def escape(text: object) -> str:
    """Return a text that is safe anywhere in HTML, also within quotes."""
    return html.escape(replace_invalid_characters(str(text)), quote=True)
