"""Wires the command line together. ``tiomagic --help`` loads only what is here."""

from __future__ import annotations

import errno
import os
import sys
from typing import Annotated

import typer

from tiomagic import __version__, streams
from tiomagic.cli.bash import unsplit
from tiomagic.cli.batch import batch, compare
from tiomagic.cli.cancel import cancel
from tiomagic.cli.convert import convert
from tiomagic.cli.delete import delete
from tiomagic.cli.demo import demo
from tiomagic.cli.doctor import doctor
from tiomagic.cli.examples import epilog
from tiomagic.cli.exits import HELP, Exit
from tiomagic.cli.export import export
from tiomagic.cli.image_to_video import image_to_video
from tiomagic.cli.inspect import inspect
from tiomagic.cli.interpolate import interpolate
from tiomagic.cli.jobs import jobs
from tiomagic.cli.late import program
from tiomagic.cli.leaving import leave_at_once
from tiomagic.cli.log import logs
from tiomagic.cli.modal import modal
from tiomagic.cli.models import models
from tiomagic.cli.note import note
from tiomagic.cli.open import open_
from tiomagic.cli.pose_guidance import pose_guidance
from tiomagic.cli.rehearse import rehearse
from tiomagic.cli.rerun import rerun
from tiomagic.cli.schema import schema
from tiomagic.cli.sheet import sheet
from tiomagic.cli.status import status
from tiomagic.cli.tag import tag
from tiomagic.cli.text_to_video import text_to_video
from tiomagic.cli.ui import ui

COMMANDS = (
    demo,
    text_to_video,
    image_to_video,
    interpolate,
    pose_guidance,
    rerun,
    batch,
    compare,
    models,
    schema,
    jobs,
    status,
    cancel,
    logs,
    open_,
    sheet,
    convert,
    tag,
    note,
    delete,
    export,
    inspect,
    rehearse,
    doctor,
    ui,
)

app: typer.Typer = program(
    COMMANDS, under=epilog, name="tiomagic", epilog=HELP, no_args_is_help=True
)
app.add_typer(modal)


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
    streams.settle()
    unsplit(os.environ)
    try:
        try:
            app()
        except SystemExit as end:
            leave_at_once(end.code)
            raise
    except BrokenPipeError:
        # The reader has seen enough, as `head` does. Python would complain again when it closes.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise SystemExit(0) from None
    except OSError as error:
        if error.errno not in _UNWRITABLE:
            _show_bug()
            raise SystemExit(Exit.BUG) from None
        # What a command does with files is an error of ours already: this is the stream itself.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        streams.write(sys.stderr, f"Error: stdout cannot be written: {error.strerror}\n")
        raise SystemExit(Exit.FAILED) from None
    except Exception:  # noqa: BLE001 - the end of the program: a bug is shown, without secrets
        _show_bug()
        raise SystemExit(Exit.BUG) from None


def _show_bug() -> None:
    import traceback  # noqa: PLC0415  # Only when something went wrong.

    from tiomagic_domain.redaction import redacted  # noqa: PLC0415  # The same.

    streams.write(sys.stderr, redacted(traceback.format_exc()))


if __name__ == "__main__":
    run()
