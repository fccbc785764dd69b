"""Whoever looks an error up by its name finds it."""

import re
from pathlib import Path

from tiomagic import errors

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"


def test_every_class_has_an_entry():
    """Each name of ``tiomagic.errors`` is a heading, once, and no heading names something else."""
    headings = re.findall(r"^### (.+)$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(headings) == sorted(errors.__all__)
