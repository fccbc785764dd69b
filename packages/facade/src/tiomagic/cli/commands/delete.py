"""``tiomagic delete``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def delete(
    job_id: o.JobId,
    *,
    files: Annotated[
        bool, typer.Option("--files", help="Also delete its video and recipe.")
    ] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Delete a finished job and print the removed files."""
    with reporting(as_json=as_json, debug=debug) as output:
        deleted = [str(path) for path in connect(output).delete_job(job_id, files=files)]
        output.data({"job_id": job_id, "deleted": deleted}, "\n".join(deleted))
        output.say(f"job {job_id} is deleted")
