"""``tiomagic tag``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def tag(
    job_id: o.JobId,
    tags: Annotated[list[str] | None, typer.Argument(help="Tags to add.")] = None,
    *,
    remove: Annotated[
        list[str] | None, typer.Option(metavar="TAG", help="Remove a tag; repeatable.")
    ] = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Add tags to a job, and show all its tags, one per line."""
    with reporting(as_json=as_json, debug=debug) as output:
        job = connect(output).get_job(job_id)
        if tags:
            job.tag(*tags)
        if remove:
            job.untag(*remove)
        output.data(job.to_dict(), "\n".join(job.tags))
