"""``tiomagic note``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def note(
    job_id: o.JobId,
    text: Annotated[
        str | None, typer.Argument(help="New note; '' removes it. Without one, show the note.")
    ] = None,
    *,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Write a note on a job, and show it."""
    with reporting(as_json=as_json, debug=debug) as output:
        job = connect(output).get_job(job_id)
        if text is not None:
            job.set_note(text)
        output.data(job.to_dict(), job.note)
