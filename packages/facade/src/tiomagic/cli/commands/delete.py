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
        bool, typer.Option("--files", help="Delete its video and the recipe beside it too.")
    ] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Delete a job that is over, and list the deleted files."""
    with reporting(as_json=as_json, debug=debug) as output:
        deleted = [str(path) for path in connect(output).delete_job(job_id, files=files)]
        output.data({"job_id": job_id, "deleted": deleted}, "\n".join(deleted))
        output.say(f"job {job_id} is deleted")
