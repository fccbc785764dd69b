"""Messages about runs and workers that cannot be seen from here, with advice."""

from __future__ import annotations

from tiomagic_domain.advice import NextStep


def explain_lost_cancel(job_id: str) -> str:
    """Return the advice how to end a job whose run is lost."""
    return f"If it will never come back, {NextStep.CANCEL_AS_LOST.say(job_id=job_id)}"


def describe_unreachable_run(job_id: str, where: str) -> str:
    """Return the message of a job whose run cannot be seen.

    Args:
        job_id: Which job.
        where: Its process, such as ``process 7 of the machine 'studio'``.
    """
    return (
        f"cannot tell from here whether the run goes on: it is {where}, in another container or "
        f"on another machine. Ask there. {explain_lost_cancel(job_id)}"
    )
