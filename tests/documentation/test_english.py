"""The pages and the help speak to the reader, without the phrases that readers stumbled over."""

import re

import pytest
import typer
from docs import command_page
from tests.documentation.blocks import BLOCK, ROOT, pages

from tiomagic.cli.main import app

RIDDLES = (
    r"\b(is|are|was|were) (told|said)\b",  # Who tells? Write "you see", or "run …".
    r"\bso (often|long) (if|for|as a)\b",  # How often? Write "up to this many times".
    r"\b(somebody|nobody|no one)\b",  # Write "you", or the part that does it.
    r"\bin the place of\b",  # Write "instead of".
    r"\bthat there is not\b",
    r"\b(a|an) (quarter|twelfth|twentieth) of (a|the) (minute|work)\b",  # Write the number.
    r"\bwhat stands between\b",
    r"\bwithout a word\b",
    r"\btake away\b",  # Write "remove", or "delete".
)
"""Patterns that no page and no help text has."""


@pytest.mark.parametrize("page", pages())
def test_a_page_has_no_riddle(page: str) -> None:
    """The prose of a page; code and the names in it are left alone."""
    text = BLOCK.sub("", (ROOT / page).read_text(encoding="utf-8"))
    assert find_riddles(re.sub(r"`[^`\n]*`", "", text)) == []


def test_no_help_text_has_one() -> None:
    """The reference of the commands is their help."""
    assert find_riddles(command_page.render_commands()) == []


def test_the_help_of_every_option_is_there() -> None:
    """No option and no argument leaves the reader to guess."""
    bare = [
        f"{' '.join(names)} {spelling}"
        for names, command in command_page.walk(typer.main.get_command(app), ("tiomagic",))
        for spelling, text in command_page.list_records(names, command)
        if not text.strip()
    ]
    assert bare == []


def test_a_riddle_is_found() -> None:
    """The patterns match what they are for."""
    told = "What stands between you and a video is told by `doctor`."
    assert len(find_riddles(told)) == 2
    assert find_riddles("run it again so often if its worker is lost")


def find_riddles(text: str) -> list[str]:
    """Return the phrases of a text that match a pattern."""
    plain = " ".join(text.split())
    return [found[0] for one in RIDDLES for found in re.finditer(one, plain, re.IGNORECASE)]
