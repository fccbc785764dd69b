"""``tiomagic run-next``."""

from __future__ import annotations

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def run_next(job_id: o.JobId, *, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Move a waiting job to the front of its queue."""
    with reporting(as_json=as_json, debug=debug) as output:
        job = connect(output).get_job(job_id).run_next()
        output.data(job.to_dict(), f"job {job.job_id} runs next")
