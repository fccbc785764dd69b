"""Applies a provider's report to a job. Pure."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tiomagic_domain.jobs.job import TRANSITIONS, Job, JobStatus
from tiomagic_domain.ports.provider import RUN_GONE, Report
from tiomagic_domain.redaction import redact, redact_data

SECONDS_USED = "seconds_used"
"""The fact of a canceled job with the time that it had run."""


def apply_report(job: Job, report: Report, *, at: datetime, **changes: Any) -> Job | None:
    """Return the job with a provider's report applied, or None when it has no news.

    A job that is over does not change. A report whose status would be a step back (``running`` for
    a ``canceling`` job, ``queued`` after a preemption) keeps the stored status, and its other
    fields are applied.

    Args:
        job: The newest stored state.
        report: The provider's report.
        at: The moment, with zone.
        **changes: Other fields that change with it.
    """
    if job.status.is_terminal:
        return None
    if job.status is JobStatus.CANCELING and report.error_code in RUN_GONE:
        # It was to stop and does not run: this counts as canceled, whatever ended it.
        message = "canceled; the run was gone already"
        report = Report(status=JobStatus.CANCELED, message=message, facts=report.facts)
    news = _news(job, report) | changes
    if report.status is JobStatus.CANCELED and job.started_at is not None:
        used = max((at - job.started_at).total_seconds(), 0.0)
        news["facts"] = {**job.facts, **news.get("facts", {}), SECONDS_USED: round(used, 3)}
    # Only the supervisor, which knows that the worker was lost, restarts a run; never a report.
    if report.status in TRANSITIONS[job.status] - {JobStatus.QUEUED}:
        return job.to(report.status, at=at, **news)
    return job.with_changes(at=at, **news) if news else None


def ask_to_stop(job: Job, *, at: datetime) -> Job | None:
    """Return the job as canceling, or None when it is over or canceling already.

    A job that waits for a worker is canceled at once. If a worker claims it at the same time, the
    first save wins and the other has to read again.
    """
    if job.status.is_terminal or job.status is JobStatus.CANCELING:
        return None
    if job.queue is not None and job.status is JobStatus.QUEUED:
        return job.to(JobStatus.CANCELED, at=at, message="canceled before it began")
    return job.to(JobStatus.CANCELING, at=at, message="asked to stop")


def _news(job: Job, report: Report) -> dict[str, Any]:
    said: dict[str, Any] = {
        "call_id": report.call_id,
        "message": redact(report.message or report.error or "") or None,
        "progress": report.progress,
        "error": None if report.error is None else redact(report.error),
        "error_code": None if report.error_code is None else str(report.error_code),
        "facts": redact_data(report.update_facts(job.facts)),
    }
    return {k: v for k, v in said.items() if v is not None and v != getattr(job, k)}
