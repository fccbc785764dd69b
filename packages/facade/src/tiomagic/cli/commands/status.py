"""``tiomagic status``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import command_words, reporting
from tiomagic.cli._run import connect, find_preview, show_result, wait_for_job
from tiomagic.display.times import describe_time

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tiomagic import JobHandle


NO_PREVIEW_YET: Final = "no preview yet: the run draws them from now on; ask again in a moment"


def status(
    job_id: o.JobId,
    *,
    wait: Annotated[
        bool, typer.Option("--wait", "--watch", help="Wait for the job to end.")
    ] = False,
    timeout: o.Timeout = None,
    preview: o.PreviewFile = None,
    quiet: o.Quiet = False,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Show the state of a job; save its video if it is finished.

    Exits with 0 whatever the status; with --wait, as the job did.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        job = connect(output).check_generation_status(job_id)
        previews = find_preview(output, preview, waits=True)
        if wait:
            shows = not (quiet or as_json)
            wait_for_job(output, job, timeout, shows=shows, previews=previews)
            show_result(output, job)
            return
        output.data(job.to_dict(), describe_job(job))
        if previews is not None:
            newest = job.preview()
            if newest.jpeg:
                previews.write(newest.jpeg)
            else:
                output.say(newest.reason or NO_PREVIEW_YET)


def describe_seam(seam: Mapping[str, Any] | None) -> str | None:
    """Return how well two parts meet, such as ``at frame 17, 1.2 of a usual step``."""
    if seam is None:
        return None
    place = f"at frame {seam['frame']}" if seam["frame"] else "from the last frame to the first"
    ratio = seam.get("ratio")
    if not isinstance(ratio, int | float):
        return f"{place}; nothing else moves"
    return f"{place}, {ratio:.2f} times the median step of the video"


def describe_job(job: JobHandle) -> str:
    """Return the facts of a job, one a line."""
    from tiomagic.display.phrases.rewording import reword  # noqa: PLC0415  # Not for --help.
    from tiomagic.display.prices import explain_job_cost  # noqa: PLC0415  # The same.
    from tiomagic.results.pictures import find_seam  # noqa: PLC0415  # The same.

    generation = job.generation or {}
    facts = {
        "job": job.job_id,
        "status": job.status,
        "what": f"{job.feature} with {job.model} on {job.provider}",
        "prompt": " ".join(job.prompt.split()),
        "tags": ", ".join(job.tags),
        "note": job.note,
        "created": describe_time(job.creation_time),
        "updated": describe_time(job.last_updated),
        "progress": None if job.result_video else job.progress,
        "message": reword(str(generation.get("message") or ""), command_words()),
        "not on": "; ".join(f"{one['provider']}: {one['reason']}" for one in job.passed_over),
        "error": reword(job.error or "", command_words()),
        "cost": explain_job_cost(job.facts),
        "seam": describe_seam(find_seam(job.facts)),
        "video": job.result_video,
    }
    return "\n".join(f"{name:9} {fact}" for name, fact in facts.items() if fact)
