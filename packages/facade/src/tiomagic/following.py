"""Waiting for a job that runs elsewhere."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiomagic.bars import ProgressChoice, shown
from tiomagic_domain.jobs import Job

if TYPE_CHECKING:
    from tiomagic.session import Session


def wait_for(
    session: Session,
    job: Job,
    *,
    timeout: float | None = None,
    poll: float = 2.0,
    progress: ProgressChoice = None,
) -> Job:
    """Wait until a job is over, with its progress shown.

    Raises:
        JobTimeoutError: when the time is up. The job goes on.
        KeyboardInterrupt: at Ctrl-C, with a note that has the job's id. The job goes on.
    """
    try:
        with shown(progress, f"{job.model} on {job.provider}") as sink:
            return session.generation.wait(job.job_id, timeout=timeout, poll=poll, on_progress=sink)
    except KeyboardInterrupt as interrupt:
        interrupt.add_note(
            f"job {job.job_id} goes on; tm.check_generation_status({job.job_id!r}) follows it, "
            f"tm.cancel_job({job.job_id!r}) stops it"
        )
        raise
