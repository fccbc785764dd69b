"""``tiomagic jobs``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from tiomagic.cli import _filters as f
from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect

if TYPE_CHECKING:
    from tiomagic import JobHandle


def jobs(  # noqa: PLR0913 - one argument an option
    status: o.Status = None,
    feature: f.Feature = None,
    model: o.Model = None,
    provider: f.Provider = None,
    *,
    text: f.Text = None,
    tag: f.Tag = None,
    since: f.Since = None,
    until: f.Until = None,
    limit: Annotated[int, typer.Option(help="Show at most this many jobs.")] = 50,
    after: Annotated[
        str | None, typer.Option(metavar="JOB_ID", help="List only jobs older than this one.")
    ] = None,
    recover: Annotated[
        bool,
        typer.Option(
            "--recover",
            help="Recover every job that is not over, as after a crash, and list the changed ones.",
        ),
    ] = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List the stored jobs, newest first."""
    narrowed = f.filters_of(
        status=status,
        feature=feature,
        model=model,
        provider=provider,
        text=text,
        tag=tag,
        since=since,
        until=until,
    )
    narrowed |= {"limit": limit, "after": after}
    with reporting(as_json=as_json, debug=debug) as output:
        tm = connect(output)
        found = tm.recover() if recover else tm.list_jobs(**narrowed)
        rows = [
            (
                job.job_id,
                job.status,
                job.creation_time[:19].replace("T", " "),
                job.feature,
                job.model,
                ", ".join(job.tags),
                " ".join(job.prompt.split())[:60],
            )
            for job in found
        ]
        columns = ["job", "status", "created (UTC)", "feature", "model", "tags", "prompt"]
        spare = ["tags", "feature", "model", "created (UTC)"]
        for queue in sorted({str(job.to_dict()["queue"]) for job in found if is_waiting(job)}):
            why = tm.session.generation.explain_waiting(queue)
            if why is not None:
                output.say(f"queue {queue} {why}")
        output.table([job.to_dict() for job in found], columns, rows, optional_columns=spare)


def is_waiting(job: JobHandle) -> bool:
    """Return whether a job waits in a queue of a worker."""
    return job.status == "queued" and job.to_dict().get("queue") is not None
