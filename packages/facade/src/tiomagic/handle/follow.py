"""Following a job that a worker of this machine runs: every step, with little delay.

A wait asks the provider every few seconds, as for a remote job. Here the job's record is read many
times a second, and the worker is looked after as often as in a wait.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.clock import POLL_INTERVAL_S
from tiomagic_domain.progress import Phase, Progress, ProgressSink
from tiomagic_domain.workers.supervisor import WAITING_REASON_PREFIX, find_requeue_reason
from tiomagic_domain.workers.waiting_reasons import find_busy_device

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

LOOK_INTERVAL_S: Final = 0.1
"""Seconds between two looks at the record of the job; each is one small query."""
STARTING_NOTE: Final = "a worker starts: it loads PyTorch, which takes some seconds"
"""What a job waits for that nothing else holds up."""


def follow(
    session: Session,
    job: Job,
    sink: ProgressSink,
) -> Job:
    """Follow a queued or running job to its end.

    Args:
        session: With the jobs.
        job: Which one.
        sink: Gets the progress, and what the job waits for.

    Returns:
        The job when it is over, or when a failure of the machine has put it back into its queue.
    """
    generation, clock = session.generation, session.clock
    checked_at = clock.monotonic()
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
        if job.status is JobStatus.QUEUED:
            sink(Progress(phase=Phase.WAITING, note=_find_reason(session, job)))
    return job


def _find_reason(session: Session, job: Job) -> str:
    """Return what a queued job waits for: a job of its own queue, a device, or its worker."""
    query = JobQuery(status=frozenset({JobStatus.RUNNING}), queue=job.queue, limit=1)
    running = session.generation.list(query)
    if running:
        return f"for job {running[0].job_id}, which came first"
    busy = find_busy_device(job)
    return STARTING_NOTE if busy is None else busy.removeprefix(WAITING_REASON_PREFIX)
