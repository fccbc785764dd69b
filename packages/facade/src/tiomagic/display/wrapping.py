"""Breaks lines for a terminal between words, and a command in brackets as late as possible.

A terminal breaks a long line in the middle of a word. What is longer than a line stays whole, such
as a path: it can be copied.
"""

from __future__ import annotations

import re
import shutil
from typing import Final, TextIO

from tiomagic.display.streams import is_terminal

WORDS: Final = re.compile(r"\[[^\]\n]{1,60}\]\S*|\S+")
"""A word, or a command in brackets."""
LABEL: Final = re.compile(r"\s*(?:\S+ {2,}|- )?")
"""What a line begins with that its other lines are indented by: blanks, a label, a dash."""
MOST_INDENT: Final = 24


def wrap_for(stream: TextIO, text: str) -> str:
    """Return a text as it is shown on a stream: wrapped on a terminal, else unchanged."""
    if not is_terminal(stream):
        return text
    width = shutil.get_terminal_size().columns
    return "\n".join(wrap_line(line, width) for line in text.split("\n"))


def wrap_line(line: str, width: int) -> str:
    """Return a line broken between words; the rest is indented as its beginning.

    Args:
        line: One line.
        width: Columns of the terminal.
    """
    if len(line) <= width:
        return line
    label = LABEL.match(line)
    begin = label[0] if label else ""
    indent = " " * min(len(begin), MOST_INDENT)
    lines, current = [], begin.rstrip("\n")
    for word in WORDS.findall(line[len(begin) :]):
        blank = "" if current in {begin, indent} else " "
        if blank and len(current) + len(blank) + len(word) > width:
            lines.append(current)
            current, blank = indent, ""
        current += f"{blank}{word}"
    return "\n".join([*lines, current])
