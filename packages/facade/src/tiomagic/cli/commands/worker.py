"""``tiomagic worker``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._exit_codes import ExitCode
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


class WorkerAction(StrEnum):
    """What is done with the workers."""

    LIST = "list"
    STOP = "stop"


def worker(
    action: Annotated[WorkerAction, typer.Argument(help="stop ends those without a job.")] = (
        WorkerAction.LIST
    ),
    *,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """List or stop the workers, which keep a model loaded.

    A worker ends by itself when no job comes for TIOMAGIC_WORKER_IDLE_S seconds. stop gives its
    memory back now, and ends with 3 when a worker has a job: cancel that first.
    TIOMAGIC_WARM_WORKER=off lets every command load the model itself.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic_domain.workers.idle_workers import end_idle_worker, list_workers  # noqa: PLC0415  # Not for --help.

        session = connect(output).session
        container = session.container
        background = container.background() if session.has_database else None
        found = [] if background is None else list_workers(background, container.repository())
        rows = [
            {
                "process": _process_number(one.lease.owner),
                "queue": one.queue.partition("#")[0],
                "job": None if one.job is None else one.job.job_id,
                "stopped": background is not None
                and action is WorkerAction.STOP
                and end_idle_worker(background, container.repository(), one.lease.name),
            }
            for one in found
        ]
        if not rows:
            output.data([], "")
            output.say("no worker runs")
            return
        output.table(
            rows,
            ["process", "queue", "state"],
            [(row["process"], row["queue"], _state(row)) for row in rows],
        )
        if action is WorkerAction.STOP and not all(row["stopped"] for row in rows):
            raise typer.Exit(ExitCode.REFUSED)


def _state(row: dict[str, Any]) -> str:
    if row["stopped"]:
        return "stopped"
    return f"has the job {row['job']}" if row["job"] else "idle, with its model loaded"


def _process_number(owner: str) -> str:
    """Return the number of a process, or its whole name where that has none."""
    parts = owner.rsplit(":", 2)
    return parts[1] if len(parts) == 3 and parts[1].isdecimal() else owner
