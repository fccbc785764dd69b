"""The output of commands: data on stdout, all else on stderr, JSON with ``--json``.

On a terminal rich draws the tables. Two things are done here: rich narrows every column where the
room is short, and cannot leave whole columns out by rank; and a table in a pipe is a few lines of
padding, for which loading rich would cost more than the rest of the command.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import typer

from tiomagic.cli._exit_codes import ExitCode, exit_code_of
from tiomagic.cli._lazy import RUNNING
from tiomagic.display import streams
from tiomagic.display.wrapping import wrap_for

if TYPE_CHECKING:
    from tiomagic.display.phrases.vocabulary import Vocabulary
    from tiomagic_domain.errors import TioMagicError


_WRONG_PATH: Final = frozenset(
    {errno.ENAMETOOLONG, errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.EINVAL}
)
"""Errors of the system for a path that cannot be right."""

MIN_LAST_COLUMN_CHARACTERS: Final = 16
"""Characters that the last column of a table gets at least."""


class Output:
    """Prints the results of a command.

    Args:
        as_json: True for JSON.
        debug: True for tracebacks and every event.
    """

    def __init__(self, *, as_json: bool, debug: bool) -> None:
        self.as_json = as_json
        self.debug = debug

    def data(self, plain: Any, text: str) -> None:
        """Show the result.

        Args:
            plain: The result as plain data, for JSON.
            text: The same for people and pipes.
        """
        shown = (
            _json(_for_shell(plain), sys.stdout, indent=2)
            if self.as_json
            else _in_lines(_in_shell(text))
        )
        if shown:
            _put(f"{shown}\n")

    def table(
        self,
        plain: Any,
        columns: Sequence[str],
        rows: Sequence[Sequence[object]],
        *,
        optional_columns: Sequence[str] = (),
    ) -> None:
        """Show rows: a table that fits the terminal, aligned columns elsewhere.

        Args:
            plain: The rows as plain data, for JSON.
            columns: Headings.
            rows: Cells; what is None stays empty.
            optional_columns: Columns that a narrow terminal does without, the first of them first.
            Such a
                table has one line a row, and the last column is cut; without them cells are folded.
        """
        cells = [["" if cell is None else _on_one_line(str(cell)) for cell in row] for row in rows]
        if self.as_json or not streams.is_terminal(sys.stdout):
            self.data(plain, _aligned([list(columns), *cells]))
            return
        from rich.console import Console  # noqa: PLC0415  # Heavy.
        from rich.table import Table  # noqa: PLC0415  # Heavy.
        from rich.text import Text  # noqa: PLC0415  # Heavy.

        console = Console(file=streams.wrap_for_rich(sys.stdout))
        table = Table(box=None, pad_edge=False, header_style="bold")
        widths = _widths([columns, *cells])
        shown = _fitting(columns, widths, optional_columns, console.width)
        *rest, last = shown
        room = console.width - sum(widths[index] + 2 for index in rest)
        for index in rest:
            # The first column names the row: it is what people copy, and is never cut.
            whole = bool(optional_columns) or index == 0
            table.add_column(columns[index], no_wrap=whole, overflow="fold")
        if optional_columns:
            width = min(widths[last], max(room, 1))
            table.add_column(columns[last], no_wrap=True, overflow="ellipsis", width=width)
        else:
            table.add_column(columns[last], overflow="fold")
        for row in cells:
            table.add_row(*(Text(row[index]) for index in shown))
        console.print(table)

    def say(self, message: str) -> None:
        """Print a notice that is not data; silent with JSON."""
        if not self.as_json:
            streams.write(sys.stderr, f"{wrap_for(sys.stderr, _reword(message))}\n")

    def fail(self, error: TioMagicError) -> None:
        """Print an error."""
        message = _say_error(error)
        if self.as_json:
            plain = {**_for_shell(error.to_dict()), "message": message}
            streams.write(sys.stderr, f"{_json(plain, sys.stderr)}\n")
            return
        streams.write(sys.stderr, f"{wrap_for(sys.stderr, f'error: {message}')}\n")
        job_id = error.details.get("job_id")
        if job_id is not None and str(job_id) not in error.message:
            see = f"the job is {job_id}; see: tiomagic status {job_id}\n"
            streams.write(sys.stderr, see)


def _in_lines(text: str) -> str:
    """Return a text for stdout: broken between words on a terminal, but for JSON."""
    return text if text[:1] in {"{", "["} else wrap_for(sys.stdout, text)


def _in_shell(text: str) -> str:
    """Return a text with the commands that do what it advises."""
    from tiomagic.display.next_steps import add_ways  # noqa: PLC0415  # Not for --help.

    return add_ways(text, command_words().ways)


def _say_error(error: TioMagicError) -> str:
    """Return the text of an error in the words of the command that runs."""
    from tiomagic.display.phrases.problems import say_error  # noqa: PLC0415  # Not for --help.

    return say_error(error, command_words())


def _reword(text: str) -> str:
    """Return a text in the words of the command that runs."""
    from tiomagic.display.phrases.rewording import reword  # noqa: PLC0415  # Not for --help.

    return reword(text, command_words())


def command_words() -> Vocabulary:
    """Return the words of the command that runs: its own options."""
    from tiomagic.display.phrases.shell import ShellVocabulary  # noqa: PLC0415  # Not for --help.

    return ShellVocabulary.of(RUNNING.get())


def _for_shell(plain: Any) -> Any:
    """Return plain data with the commands in its errors and messages; the rest stays as it is."""
    if isinstance(plain, Mapping):
        return {
            key: _in_shell(value)
            if key in {"error", "message"} and isinstance(value, str)
            else _for_shell(value)
            for key, value in plain.items()
        }
    return [_for_shell(each) for each in plain] if isinstance(plain, list | tuple) else plain


def _json(plain: Any, stream: object, *, indent: int | None = None) -> str:
    from tiomagic_domain.text import to_json  # noqa: PLC0415  # Not for --help.

    encoding = str(getattr(stream, "encoding", None) or "utf-8").lower().replace("_", "-")
    return to_json(plain, indent=indent, ascii_only=encoding not in {"utf-8", "utf8"})


def _put(text: str) -> None:
    """Write data.

    Raises:
        typer.Exit: when its reader has seen enough, as ``head`` does.
        ProcessingError: when it cannot be written.
    """
    try:
        streams.write_data(sys.stdout, text)
    except BrokenPipeError:
        # Python would complain again when it closes the stream.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit(ExitCode.OK) from None
    except OSError as error:
        from tiomagic_domain.errors import ProcessingError  # noqa: PLC0415  # Not for --help.

        raise ProcessingError(f"stdout cannot be written: {error.strerror or error}") from error


def _on_one_line(text: str) -> str:
    from tiomagic_domain.text import escape_control_characters  # noqa: PLC0415  # Not for --help.

    return escape_control_characters(text).replace("\n", "\\n").replace("\t", " ")


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(len(cell) for cell in column) for column in zip(*rows, strict=True)]


def _fitting(
    columns: Sequence[str], widths: Sequence[int], optional_columns: Sequence[str], room: int
) -> list[int]:
    """Return the columns that are shown: all, but for optional_columns ones that do not fit."""
    shown = list(range(len(columns)))
    for name in optional_columns:
        if sum(widths[index] + 2 for index in shown[:-1]) + MIN_LAST_COLUMN_CHARACTERS > room:
            shown.remove(columns.index(name))
    return shown


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = _widths(rows)
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        for row in rows
    )
    return "\n".join(line.rstrip() for line in lines)


@contextmanager
def reporting(*, as_json: bool, debug: bool) -> Iterator[Output]:
    """Give the output of a command, and turn errors into messages and exit codes.

    Raises:
        typer.Exit: when the command failed.
    """
    from tiomagic_domain.errors import TioMagicError  # noqa: PLC0415  # Not for --help.

    output = Output(as_json=as_json, debug=debug)
    try:
        try:
            yield output
        except OSError as error:
            raise _path_error(error) from error
    except TioMagicError as error:
        if debug:
            _show_traceback()
        output.fail(error)
        raise typer.Exit(exit_code_of(error)) from error
    except KeyboardInterrupt as interrupt:
        for note in getattr(interrupt, "__notes__", ["interrupted"]):
            output.say(note)
        raise typer.Exit(ExitCode.INTERRUPTED) from interrupt


def _path_error(error: OSError) -> Exception:
    """Return the error for a path that the system refuses, or the same one if it names no path."""
    from tiomagic_domain.errors import ProcessingError, ValidationError  # noqa: PLC0415  # Heavy.
    from tiomagic_domain.suggestions import shorten_repr  # noqa: PLC0415  # The same.

    if error.filename is None:
        return error
    told = f"{shorten_repr(str(error.filename))} cannot be used: {error.strerror or error}"
    return ValidationError(told) if error.errno in _WRONG_PATH else ProcessingError(told)


def _show_traceback() -> None:
    import traceback  # noqa: PLC0415  # Only when something went wrong.

    from tiomagic_domain.redaction import redact  # noqa: PLC0415  # The same.

    streams.write(sys.stderr, redact(traceback.format_exc()))
