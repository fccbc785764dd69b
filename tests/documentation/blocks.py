"""The blocks of code of a page, and what stands before one of them that is not run.

A comment before a block says why a command is not run::

    <!-- not run (pip): installs a tool -->        commands that begin with pip, or with uv run pip
    <!-- not run (whole): needs an account -->     all of them
    <!-- parsed: it serves until Ctrl-C -->        tiomagic's commands are parsed, and not run
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?:^ *<!-- (?P<mark>(?:not run \([\w.-]+\)|parsed)): (?P<reason>.+?) -->\n\n)?"
    r"^(?P<indent> *)```(?P<language>[^\n]*)\n(?P<code>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)
ASSIGNMENT = re.compile(r"[A-Z_]+=")


@dataclass(frozen=True)
class Block:
    """One block of a page."""

    page: str
    line: int
    """Number of the line where its code begins."""
    language: str
    code: str
    mark: str
    """``parsed``, ``not run (…)``, or empty: it is run."""
    reason: str

    @property
    def where(self) -> str:
        """The place, as compilers name it."""
        return f"{self.page}:{self.line}"

    def is_run(self, program: str) -> bool:
        """Return whether a command that begins with a program is run."""
        return self.mark not in {f"not run ({program})", "not run (whole)"}


@dataclass(frozen=True)
class Command:
    """One command of a shell."""

    words: list[str]
    environment: dict[str, str]
    """Set for this command."""
    source: str | None
    """The file that is piped into it by ``cat``."""


def pages() -> list[str]:
    """Return the pages of people: the README and the site, without those of the models."""
    found = [path for path in (ROOT / "docs").rglob("*.md") if "_site" not in path.parts]
    names = sorted(str(path.relative_to(ROOT)) for path in [ROOT / "README.md", *found])
    return [name for name in names if not name.startswith("docs/models/")]


def blocks(page: str) -> list[Block]:
    """Return the blocks of a page, in order."""
    text = (ROOT / page).read_text(encoding="utf-8")
    found = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code")) + 1
        mark, reason = match["mark"] or "", match["reason"] or ""
        found.append(Block(page, line, match["language"], dedent(match["code"]), mark, reason))
    # A fence that the pattern missed would be a block that nobody tries.
    assert len(re.findall(r"^ *```", text, re.MULTILINE)) == 2 * len(found), page
    return found


def commands(code: str) -> Iterator[Command]:
    """Give the commands of a block of shell; ``export`` is left to the reader of the words."""
    for line in code.replace("\\\n", " ").splitlines():
        words = shlex.split(line, comments=True)
        source = None
        if "|" in words:
            bar = words.index("|")
            cat, source = words[:bar]
            assert cat == "cat", line
            words = words[bar + 1 :]
        environment = {}
        while words and ASSIGNMENT.match(words[0]):
            name, _, value = words.pop(0).partition("=")
            environment[name] = value
        if words[:2] == ["uv", "run"]:
            words = words[2:]
        if words:
            yield Command(words, environment, source)
