"""Words on runs and workers that cannot be seen from here, and what a person can do about them."""

from __future__ import annotations

from tiomagic_domain.advice import NextStep


def explain_lost_cancel(job_id: str) -> str:
    """Return the sentence that says how to end a job whose run is gone for good."""
    return f"If it will never come back, {NextStep.CANCEL_AS_LOST.say(job_id=job_id)}"


def describe_unreachable_run(job_id: str, where: str) -> str:
    """Return what is said of a job whose run cannot be seen.

    Args:
        job_id: Which job.
        where: Whose process it is, such as ``process 7 of the machine 'studio'``.
    """
    return (
        f"cannot tell from here whether the run goes on: it is {where}, in another container or "
        f"on another machine. Ask there. {explain_lost_cancel(job_id)}"
    )
