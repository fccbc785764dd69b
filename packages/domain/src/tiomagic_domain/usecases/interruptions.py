"""What a person who presses Ctrl-C should know: what became of the job, and how to go on."""

from __future__ import annotations

from tiomagic_domain.advice import NextStep


def say_canceled(job_id: str) -> str:
    """Return the sentence about a run that ended with its process."""
    return f"the job is canceled. To go on, {NextStep.RUN_AGAIN.say(job_id=job_id)}"


def say_perhaps_started(job_id: str) -> str:
    """Return the sentence about a submission that was not answered."""
    return f"the job may have started: {_follow_or_cancel(job_id)}"


def say_kept(job_id: str) -> str:
    """Return the sentence about a run that is over, and whose video is not in its place yet."""
    return f"the video is made, but not saved: {NextStep.CHECK_AGAIN.say(job_id=job_id)}"


def say_goes_on(job_id: str) -> str:
    """Return the sentence about a job that nobody waits for any more."""
    return f"the job goes on: {_follow_or_cancel(job_id)}"


def _follow_or_cancel(job_id: str) -> str:
    check, cancel = NextStep.CHECK_AGAIN, NextStep.CANCEL
    return f"{check.say(job_id=job_id)}, or {cancel.say(job_id=job_id)}"
