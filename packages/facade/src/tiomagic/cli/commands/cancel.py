"""``tiomagic cancel``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def cancel(
    job_id: o.JobId,
    *,
    lost: Annotated[
        bool,
        typer.Option("--lost", help="End a job whose machine or container will not come back."),
    ] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Cancel a job; a finished one stays as it is."""
    with reporting(as_json=as_json, debug=debug) as output:
        job = connect(output).get_job(job_id)
        was_over = job.is_over
        output.data(job.cancel(lost=lost).to_dict(), job.status)
        message = (job.generation or {}).get("message")
        if job.status == "canceling" and message:
            # A vendor that cannot stop a run bills it: the word alone would promise too much.
            output.say(str(message))
        if was_over:
            output.say(f"job {job_id} was over already; nothing has changed")
