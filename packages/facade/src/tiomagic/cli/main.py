"""Wires the command line together. ``tiomagic --help`` loads only what is here."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Mapping, Sequence
from typing import Annotated, Final

import typer

from tiomagic import __version__
from tiomagic.cli._examples import epilog
from tiomagic.cli._exit_codes import EXIT_CODES_HELP, ExitCode
from tiomagic.cli._fast_exit import exit_fast
from tiomagic.cli._lazy import Command, lazy_application
from tiomagic.cli._provider_groups import find_provider_group, list_provider_groups
from tiomagic.cli.commands.batch import batch, compare
from tiomagic.cli.commands.cancel import cancel
from tiomagic.cli.commands.convert import convert
from tiomagic.cli.commands.costs import costs
from tiomagic.cli.commands.delete import delete
from tiomagic.cli.commands.demo import demo
from tiomagic.cli.commands.doctor import doctor
from tiomagic.cli.commands.download import download
from tiomagic.cli.commands.export import export
from tiomagic.cli.commands.features import EXTEND_COMMAND, FEATURE_COMMANDS
from tiomagic.cli.commands.inspect import inspect
from tiomagic.cli.commands.jobs import jobs
from tiomagic.cli.commands.logs import logs
from tiomagic.cli.commands.mask import mask
from tiomagic.cli.commands.mcp import mcp
from tiomagic.cli.commands.models import models
from tiomagic.cli.commands.note import note
from tiomagic.cli.commands.open import open_
from tiomagic.cli.commands.rehearse import rehearse
from tiomagic.cli.commands.rerun import rerun
from tiomagic.cli.commands.run_next import run_next
from tiomagic.cli.commands.schema import schema
from tiomagic.cli.commands.serve import serve
from tiomagic.cli.commands.sheet import sheet
from tiomagic.cli.commands.status import status
from tiomagic.cli.commands.tag import tag
from tiomagic.cli.commands.ui import ui
from tiomagic.cli.commands.weights import weights
from tiomagic.cli.commands.worker import worker
from tiomagic.cli.completion.bash import rejoin_split_words
from tiomagic.display import streams

SECTIONS: Final[Mapping[str, Sequence[Command]]] = {
    "Make videos": (demo, *FEATURE_COMMANDS, EXTEND_COMMAND, rerun, batch, compare),
    "Watch, find and keep jobs": (
        *(jobs, status, cancel, run_next, logs, tag, note, delete, export),
        costs,
    ),
    "Work with finished videos": (open_, sheet, convert, inspect, mask),
    "Models and their weights": (models, schema, download, weights, rehearse),
    "This installation": (doctor, worker, ui, serve, mcp),
}
"""The commands, by the heading that they are listed under."""

ALIASES: Final = {
    "t2v": "text-to-video",
    "i2v": "image-to-video",
    "flf2v": "interpolate",
    "pose": "pose-guidance",
}
"""Short names of commands, as models have them."""

app: typer.Typer = lazy_application(
    SECTIONS,
    aliases=ALIASES,
    epilog_of=epilog,
    list_groups=list_provider_groups,
    find_group=find_provider_group,
    name="tiomagic",
    epilog=EXIT_CODES_HELP,
    no_args_is_help=True,
)


def _show_version(wanted: bool) -> None:  # noqa: FBT001 - typer's way to call it
    if wanted:
        streams.write_data(sys.stdout, f"tiomagic {__version__}\n")
        raise typer.Exit


@app.callback()
def tiomagic(
    *,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Make videos with many models through one interface."""


_UNWRITABLE = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EFBIG})
"""Numbers of errors of a stream that takes nothing more."""


def run() -> None:
    """Run the command line; the entry point of the program."""
    streams.prepare_standard_streams()
    rejoin_split_words(os.environ)
    try:
        try:
            app()
        except SystemExit as end:
            # Does not return if torch is loaded, whose shutdown takes seconds.
            exit_fast(end.code)
            raise
    except BrokenPipeError:
        # The reader has seen enough, as `head` does. Python would complain again when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            _show_bug()
            raise SystemExit(ExitCode.BUG) from None
        # What a command does with files is an error of ours already: this is the stream itself.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        streams.write(sys.stderr, f"Error: stdout cannot be written: {error.strerror}\n")
        raise SystemExit(ExitCode.FAILED) from None
    except Exception:  # noqa: BLE001 - the end of the program: a bug is shown, without secrets
        _show_bug()
        raise SystemExit(ExitCode.BUG) from None


def _show_bug() -> None:
    import traceback  # noqa: PLC0415  # Only when something went wrong.

    from tiomagic_domain.redaction import redact  # noqa: PLC0415  # The same.

    streams.write(sys.stderr, redact(traceback.format_exc()))


if __name__ == "__main__":
    run()
