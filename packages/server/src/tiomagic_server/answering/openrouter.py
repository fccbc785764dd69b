"""A job as OpenRouter's generation."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel

from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_server.answering.usage import Usage, find_usage

STATUSES: Final = {
    JobStatus.QUEUED: "pending",
    JobStatus.RUNNING: "in_progress",
    JobStatus.CANCELING: "in_progress",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    JobStatus.CANCELED: "cancelled",
}
"""OpenRouter's word for each status."""


class OpenRouterError(BaseModel):
    """What is wrong, with the status as its code."""

    code: int
    message: str
    metadata: dict[str, Any]


class OpenRouterErrorAnswer(BaseModel):
    """An answer that is an error."""

    error: OpenRouterError


class OpenRouterJob(BaseModel):
    """A video that is made, or was."""

    id: str
    polling_url: str
    status: str
    generation_id: str | None = None
    unsigned_urls: list[str] | None = None
    usage: Usage | None = None
    error: str | None = None


def to_generation(job: Job, base: str, content: str | None = None) -> OpenRouterJob:
    """Return a job as a generation.

    Args:
        job: As it is stored.
        base: Address of this API, without a slash at its end.
        content: Address of its video; None for the one that wants the key.
    """
    place = f"{base}/videos/{job.job_id}"
    done = job.status is JobStatus.COMPLETED
    return OpenRouterJob(
        id=job.job_id,
        polling_url=place,
        status=STATUSES[job.status],
        generation_id=job.job_id if done else None,
        unsigned_urls=[content or f"{place}/content"] if done else None,
        usage=find_usage(job),
        error=job.error if job.status is JobStatus.FAILED else None,
    )
