"""``tiomagic jobs``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import options as o
from tiomagic.cli.making import connect
from tiomagic.cli.output import reporting

Zone = "2026-11-22 or 2026-11-22T12:00Z; local time without a zone"


def jobs(  # noqa: PLR0913 - one argument an option
    status: o.Status = None,
    feature: Annotated[str | None, typer.Option(help="Such as text-to-video.")] = None,
    model: o.Model = None,
    provider: Annotated[str | None, typer.Option("--provider", "-p", help="Who ran it.")] = None,
    *,
    text: Annotated[str | None, typer.Option(help="Must occur in the prompt.")] = None,
    since: Annotated[str | None, typer.Option(help=f"Created then or later: {Zone}.")] = None,
    until: Annotated[str | None, typer.Option(help="Created before.")] = None,
    limit: Annotated[int, typer.Option(help="At most so many.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="JOB_ID", help="List what is older than this job.")
    ] = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the stored jobs, newest first."""
    with reporting(as_json=as_json, debug=debug) as output:
        found = connect(output).list_jobs(
            status=status or None,
            feature=feature and feature.replace("-", "_"),
            model=model,
            provider=provider,
            text=text,
            since=since,
            until=until,
            limit=limit,
            after=after,
        )
        rows = [
            (
                job.job_id,
                job.status,
                job.creation_time[:19].replace("T", " "),
                job.feature,
                job.model,
                (job.generation or {}).get("required_args", {}).get("prompt", "")[:60],
            )
            for job in found
        ]
        columns = ["job", "status", "created (UTC)", "feature", "model", "prompt"]
        output.table([job.to_dict() for job in found], columns, rows)
