"""The reference of the command line, read from the commands themselves."""

from __future__ import annotations

import inspect
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, TypeAlias

import typer
from docs.tables import render_table_head, render_table_row

from tiomagic.cli._exit_codes import EXIT_CODES_HELP
from tiomagic.cli.main import app

INTRODUCTION = """\
# All commands

Every command with its arguments and options, generated from the program. `tiomagic COMMAND --help`
shows the same in a terminal. [The command line](cli.md) is the place to start.
"""

Record: TypeAlias = tuple[str, str]
"""A line of a help page: how an option is written, and what it does."""
USUAL_SHARE = 0.8
"""An option of more commands than this share of all is listed once, above them."""


def render_commands() -> str:
    """Return the page, in Markdown."""
    found = list(walk(typer.main.get_command(app), ("tiomagic",)))
    records = {names: list_records(names, command) for names, command in found}
    counts = Counter(one for listed in records.values() for one in listed)
    shared = [one for one, count in counts.items() if count > USUAL_SHARE * len(records)]
    lines = [INTRODUCTION.rstrip("\n"), "", "Nearly every command also takes these options:", ""]
    lines += _render_records(shared)
    for names, command in found:
        own = [one for one in records[names] if one not in shared]
        lines += ["", *_render_command(names, command, own)]
    lines += ["", "## Exit codes", "", *_render_exit_codes()]
    return "\n".join([*lines, ""])


def walk(group: Any, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Give each command with its words, in the order of the help, groups after them."""
    context = typer.Context(group, info_name=names[-1])
    found = [(name, group.get_command(context, name)) for name in group.list_commands(context)]
    groups = [(name, one) for name, one in found if hasattr(one, "list_commands")]
    for name, command in found:
        if not command.hidden and (name, command) not in groups:
            yield (*names, name), command
    for name, command in groups:
        yield from walk(command, (*names, name))


def list_records(names: tuple[str, ...], command: Any) -> list[Record]:
    """Return what the help page lists of a command: how it is written, and what it does."""
    context = typer.Context(command, info_name=" ".join(names))
    records = [one.get_help_record(context) for one in command.get_params(context)]
    # None is what the help page hides. Every command has --help.
    return [record for record in records if record and "--help" not in record[0]]


def _render_records(records: Iterable[Record]) -> Iterator[str]:
    yield from render_table_head("argument or option", "what it does")
    for spelling, text in records:
        yield render_table_row(f"`{spelling.strip()}`", _cell(text))


def _render_command(names: tuple[str, ...], command: Any, own: list[Record]) -> Iterator[str]:
    context = typer.Context(command, info_name=" ".join(names))
    yield f"## {' '.join(names[1:])}"
    yield ""
    yield _prose(command.help or "")
    yield ""
    yield "```text"
    yield " ".join([context.command_path, *command.collect_usage_pieces(context)])
    yield "```"
    if own:
        yield ""
        yield from _render_records(own)
    examples = _examples(command.epilog or "")
    if examples:
        yield from ("", "```bash", *examples, "```")


def _prose(text: str) -> str:
    """Return a help text as paragraphs of Markdown."""
    return inspect.cleandoc(text.replace("\b", "").partition("\f")[0])


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("<", "&lt;")


def _examples(epilog: str) -> list[str]:
    lines = [line.strip() for line in epilog.splitlines()]
    return [line for line in lines if line.startswith("tiomagic ")]


def _render_exit_codes() -> Iterator[str]:
    """Give the codes as the end of the program's help lists them, one a line."""
    listed = " ".join(EXIT_CODES_HELP.partition("Exit codes:")[2].partition("\n\n")[0].split())
    for code in re.split(r", (?=\d)", listed.rstrip(".")):
        number, _, meaning = code.partition(" ")
        yield f"- `{number}`: {meaning}"
