"""Following a job that a worker of this machine runs: every step, with little delay.

A wait asks the provider every few seconds, as for a remote job. Here the job's record is read many
times a second, and the worker is looked after as often as in a wait.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.clock import POLL_INTERVAL_S
from tiomagic_domain.progress import Phase, Progress, ProgressSink
from tiomagic_domain.workers.supervisor import find_requeue_reason

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

LOOK_INTERVAL_S: Final = 0.1
"""Seconds between two looks at the record of the job; each is one small query."""


def follow(
    session: Session,
    job: Job,
    sink: ProgressSink,
    *,
    on_wait: Callable[[str], None] = lambda _job_id: None,
) -> Job:
    """Follow a queued or running job to its end.

    Args:
        session: With the jobs.
        job: Which one.
        sink: Gets the progress.
        on_wait: Called once with the id of each other job that this one waits for.

    Returns:
        The job when it is over, or when a failure of the machine has put it back into its queue.
    """
    generation, clock = session.generation, session.clock
    checked_at, waits_for = clock.monotonic(), ""
    while not (job.status.is_terminal or find_requeue_reason(job) is not None):
        if job.progress is not None:
            sink(job.progress)
        clock.sleep(LOOK_INTERVAL_S)
        job = generation.get(job.job_id)
        if clock.monotonic() - checked_at < POLL_INTERVAL_S:
            continue
        # A worker that is dead is found, and a new one is started, by this.
        job = generation.check(job.job_id)
        checked_at = clock.monotonic()
        other = _find_running(session, job) if job.status is JobStatus.QUEUED else None
        if other is not None and other != waits_for:
            waits_for = other
            on_wait(other)
            sink(Progress(phase=Phase.WAITING))
    return job


def _find_running(session: Session, job: Job) -> str | None:
    """Return the id of the job that the worker of this job's queue runs."""
    query = JobQuery(status=frozenset({JobStatus.RUNNING}), queue=job.queue, limit=1)
    return next((other.job_id for other in session.generation.list(query)), None)
