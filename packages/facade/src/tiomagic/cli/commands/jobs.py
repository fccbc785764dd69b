"""``tiomagic jobs``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Final

import typer

from tiomagic.cli import _filters as f
from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.display.streams import is_terminal
from tiomagic.display.times import describe_time

if TYPE_CHECKING:
    from tiomagic import JobHandle, TioMagic
    from tiomagic.api.arguments import JobFilters
    from tiomagic.cli._output import Output

SHORT_ID_CHARACTERS: Final = 8
"""Characters of an id that a person sees; the names of videos end with them, too."""


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
        from tiomagic_domain.workers.leases import split_queue  # noqa: PLC0415  # Not for --help.

        tm = connect(output)
        found = tm.recover() if recover else tm.list_jobs(**narrowed)
        for queue in sorted({str(job.to_dict()["queue"]) for job in found if is_waiting(job)}):
            why = tm.session.generation.explain_waiting(queue)
            if why is not None:
                output.say(f"queue {split_queue(queue)[0]} {why}")
        if not found and not as_json:
            output.say("no job has changed" if recover else _say_none(tm))
            return
        _show(output, found)
        if len(found) == limit and not recover:
            _say_more(output, tm, found, narrowed)


def _show(output: Output, found: Sequence[JobHandle]) -> None:
    """Print a line a job."""
    length = SHORT_ID_CHARACTERS if is_terminal(sys.stdout) else None
    rows = [
        (
            job.job_id[:length],
            job.status,
            describe_time(job.creation_time, short=length is not None),
            job.feature,
            job.model,
            ", ".join(job.tags),
            " ".join(job.prompt.split())[:60],
        )
        for job in found
    ]
    columns = ["job", "status", "created", "feature", "model", "tags", "prompt"]
    spare = ["tags", "feature", "created", "model"]
    output.table([job.to_dict() for job in found], columns, rows, optional_columns=spare)


def _say_none(tm: TioMagic) -> str:
    if tm.list_jobs(limit=1):
        return "no job fits"
    return f"there is no job in {tm.settings.working_dir} yet"


def _say_more(
    output: Output, tm: TioMagic, found: Sequence[JobHandle], narrowed: JobFilters
) -> None:
    """Say how many jobs the limit leaves out."""
    from tiomagic.api.arguments import build_job_query  # noqa: PLC0415  # Not for --help.

    last = found[-1].job_id if found else None
    older: JobFilters = {**narrowed, "after": last, "limit": 1}
    if last is None or not tm.list_jobs(**older):
        return
    ways = f"older ones: --after {last[:SHORT_ID_CHARACTERS]}, or --limit"
    total = tm.session.container.repository().count(build_job_query(narrowed, limit=None))
    first = "there are more" if narrowed.get("after") else f"{len(found)} of {total} jobs"
    output.say(f"{first}; {ways} {total}")


def is_waiting(job: JobHandle) -> bool:
    """Return whether a job waits in a queue of a worker."""
    return job.status == "queued" and job.to_dict().get("queue") is not None
