"""What a person who presses Ctrl-C should know: what became of the job, and how to go on."""

from __future__ import annotations

from tiomagic_domain.advice import NextStep
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.progress import Phase


def say_canceled(job: Job) -> str:
    """Return the sentence about a run that ended with its process.

    Args:
        job: As it was when the run was interrupted.
    """
    fetching = job.progress is not None and job.progress.phase is Phase.DOWNLOADING
    kept = "; what was downloaded stays, and is not fetched again" if fetching else ""
    return f"the job is canceled{kept}. To go on, {NextStep.RUN_AGAIN.say(job_id=job.job_id)}"


def say_perhaps_started(job_id: str) -> str:
    """Return the sentence about a submission that was not answered."""
    return f"the job may have started: {_follow_or_cancel(job_id)}"


def say_goes_on(job_id: str) -> str:
    """Return the sentence about a job that nobody waits for any more."""
    return f"the job goes on: {_follow_or_cancel(job_id)}"


def _follow_or_cancel(job_id: str) -> str:
    check, cancel = NextStep.CHECK_AGAIN, NextStep.CANCEL
    return f"{check.say(job_id=job_id)}, or {cancel.say(job_id=job_id)}"
