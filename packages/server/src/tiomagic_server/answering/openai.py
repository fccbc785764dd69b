"""A job as OpenAI's ``video``, and lists of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.progress import Phase, Progress
from tiomagic_server.answering.lengths import find_seconds, find_size
from tiomagic_server.answering.usage import Usage, find_usage
from tiomagic_server.jobs.labels import find_remixed

STATUSES: Final = {
    JobStatus.QUEUED: "queued",
    JobStatus.RUNNING: "in_progress",
    JobStatus.CANCELING: "in_progress",
    JobStatus.COMPLETED: "completed",
    JobStatus.FAILED: "failed",
    # Their clients know four words, and some of them refuse a fifth.
    JobStatus.CANCELED: "failed",
}
"""OpenAI's word for each status."""
POLL_AFTER_MS: Final = 1000
"""When a client may ask again, in milliseconds, while a job is not over."""
BEFORE_STEPS: Final = 5
STEPS_SHARE: Final = 90
"""Percent of a run before its steps, and during them."""
_COUNTED: Final = frozenset({Phase.DENOISING, Phase.GENERATING})
_LATE: Final = frozenset({Phase.DECODING, Phase.WRITING})


class VideoError(BaseModel):
    """Why a video was not made."""

    code: str
    message: str
    type: str = "video_generation_error"
    param: str | None = None


class Video(BaseModel):
    """A video that is made, or was."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str
    object: str = "video"
    model: str
    status: str = Field(description="queued, in_progress, completed or failed")
    progress: int = Field(ge=0, le=100, description="Percent of the run, about")
    created_at: int = Field(description="Unix time in seconds")
    completed_at: int | None = None
    expires_at: int | None = None
    prompt: str | None = None
    seconds: str = Field(description="Length of the video; of an extension that of both parts")
    size: str
    remixed_from_video_id: str | None = None
    error: VideoError | None = None
    feature: str = Field(description="Which feature of tiomagic made it")
    seed: int | None = None
    message: str = Field(description="The newest message of its run")
    warnings: list[str] = Field(description="What to know about the video")
    usage: Usage | None = Field(
        default=None, description="What it has cost; null while it is not over"
    )


class VideoPage(BaseModel):
    """A page of videos."""

    object: str = "list"
    data: list[Video]
    first_id: str | None
    last_id: str | None
    has_more: bool


class DeletedVideo(BaseModel):
    """A video that is gone."""

    id: str
    deleted: bool = True
    object: str = "video.deleted"


class ErrorObject(BaseModel):
    """What is wrong."""

    message: str
    type: str
    param: str | None = None
    code: str | None = None
    problems: list[dict[str, Any]] | None = Field(
        default=None, description="Each with field, message, given and nearest"
    )


class ErrorAnswer(BaseModel):
    """An answer that is an error."""

    error: ErrorObject


def to_video(job: Job, warnings: Sequence[str] = ()) -> Video:
    """Return a job as a video.

    Args:
        job: As it is stored.
        warnings: What to know about its video.
    """
    seconds = find_seconds(job)
    seed = job.arguments.get("seed")
    completed = job.status is JobStatus.COMPLETED
    return Video(
        id=job.job_id,
        model=job.model,
        status=STATUSES[job.status],
        progress=find_percent(job),
        created_at=_unix(job.creation_time) or 0,
        completed_at=_unix(job.ended_at) if completed else None,
        prompt=job.arguments.get("prompt"),
        seconds="" if seconds is None else f"{seconds:.4g}",
        size=find_size(job) or "",
        remixed_from_video_id=find_remixed(job),
        error=_find_error(job),
        feature=job.feature.value,
        seed=seed if isinstance(seed, int) else None,
        # What a job waits for may name other processes and folders of the machine.
        message="waits for its turn" if job.status is JobStatus.QUEUED else job.message,
        warnings=list(warnings),
        usage=find_usage(job),
    )


def to_page(jobs: Sequence[Job], *, has_more: bool) -> VideoPage:
    """Return some jobs as a page."""
    return VideoPage(
        data=[to_video(job) for job in jobs],
        first_id=jobs[0].job_id if jobs else None,
        last_id=jobs[-1].job_id if jobs else None,
        has_more=has_more,
    )


def find_percent(job: Job) -> int:
    """Return how much of a job is done, 0 to 100."""
    if job.status is JobStatus.COMPLETED:
        return 100
    return 0 if job.progress is None else _percent(job.progress)


def _percent(progress: Progress) -> int:
    if progress.phase in _LATE:
        return BEFORE_STEPS + STEPS_SHARE + 3
    if progress.phase in _COUNTED:
        return BEFORE_STEPS + int(STEPS_SHARE * (progress.fraction or 0.0))
    return 0 if progress.phase is Phase.WAITING else BEFORE_STEPS


def _find_error(job: Job) -> VideoError | None:
    if job.status is JobStatus.CANCELED:
        return VideoError(code=ErrorCode.CANCELED, message=job.message or "the job was canceled")
    if job.status is not JobStatus.FAILED:
        return None
    return VideoError(code=job.error_code or "error", message=job.error or "the job failed")


def _unix(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp())
