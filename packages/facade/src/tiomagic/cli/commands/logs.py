"""``tiomagic logs``."""

from __future__ import annotations

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def logs(job_id: o.JobId, *, as_json: o.Json = False, debug: o.Debug = False) -> None:
    """Show the output of a job that ran in the background."""
    with reporting(as_json=as_json, debug=debug) as output:
        printed = connect(output).get_job(job_id).logs()
        # Bars of libraries go back to the beginning of their line; here each state is a line.
        lines = printed.replace("\r\n", "\n").replace("\r", "\n")
        output.data({"job_id": job_id, "log": printed}, lines.rstrip("\n"))
