"""A job as OpenRouter's generation."""

from __future__ import annotations

from typing import Any, Final

from pydantic import BaseModel, Field

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

    code: int = Field(description="The status of the answer")
    message: str = Field(description="For people: everything that is wrong")
    metadata: dict[str, Any] = Field(description="code, type, param and problems, as in /v1")


class OpenRouterErrorAnswer(BaseModel):
    """An answer that is an error."""

    error: OpenRouterError = Field(description="What is wrong")


class OpenRouterJob(BaseModel):
    """A video that is made, or was."""

    id: str = Field(description="A UUID")
    polling_url: str = Field(description="Where to look at it")
    status: str = Field(description="pending, in_progress, completed, failed or cancelled")
    generation_id: str | None = Field(
        default=None, description="The id again; left out until it is completed"
    )
    unsigned_urls: list[str] | None = Field(
        default=None,
        description="Addresses of the video that need no key for an hour; left out until it is "
        "completed",
    )
    usage: Usage | None = Field(
        default=None, description="What it has cost; left out while it is not over"
    )
    error: str | None = Field(
        default=None, description="Why it was not made; left out unless it is failed"
    )


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
