"""``tiomagic open``."""

from __future__ import annotations

from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.cli.completion import values


def open_(
    job_id: Annotated[
        str | None,
        typer.Argument(
            help="Id of the job; by default the newest job with a video.",
            autocompletion=values.complete_jobs,
            show_default=False,
        ),
    ] = None,
    *,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Play a video in your default player."""
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.display.player import play_file  # noqa: PLC0415  # Not for --help.
        from tiomagic.results.pictures import video_of  # noqa: PLC0415  # The same.
        from tiomagic_domain.errors import ResourceNotFoundError  # noqa: PLC0415  # The same.

        tm = connect(output)
        jobs = [tm.get_job(job_id)] if job_id else tm.list_jobs(status="completed", limit=1)
        if not jobs:
            raise ResourceNotFoundError("there is no job with a video in this folder yet")
        video = video_of(jobs[0].record)
        # The path comes first: where nothing can play it, it can still be copied.
        output.data({"path": str(video)}, str(video))
        play_file(video)
