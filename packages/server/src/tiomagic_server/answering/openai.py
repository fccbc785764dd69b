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

    code: str = Field(description="A word of tiomagic's errors, or canceled")
    message: str = Field(description="For people")
    type: str = Field(default="video_generation_error", description="Always the same")
    param: str | None = Field(default=None, description="Always null: its fields were legal")


class Video(BaseModel):
    """A video that is made, or was."""

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)

    id: str = Field(description="A UUID")
    object: str = Field(default="video", description="Always video")
    model: str = Field(description="The name of its model")
    status: str = Field(description="queued, in_progress, completed or failed")
    progress: int = Field(ge=0, le=100, description="Percent of the run, about")
    created_at: int = Field(description="Unix time in seconds")
    completed_at: int | None = Field(
        default=None, description="Unix time in seconds; null unless it is completed"
    )
    expires_at: int | None = Field(
        default=None, description="Always null: a video is kept until it is deleted"
    )
    prompt: str | None = Field(
        default=None, description="What it shows, in words; null where its model took none"
    )
    seconds: str = Field(
        description="Length of the video in seconds, as a text; of an extension that of both "
        "parts. Empty while it is not known"
    )
    size: str = Field(description="Width x height in pixels; empty while it is not known")
    remixed_from_video_id: str | None = Field(
        default=None, description="The video that it repeats with another prompt; null for none"
    )
    error: VideoError | None = Field(
        default=None, description="Why it was not made; null unless it is failed"
    )
    feature: str = Field(description="Which feature of tiomagic made it")
    seed: int | None = Field(
        default=None, description="The seed that repeats it; null where its model takes none"
    )
    message: str = Field(description="The newest message of its run")
    warnings: list[str] = Field(description="What to know about the video")
    usage: Usage | None = Field(
        default=None, description="What it has cost; null while it is not over"
    )


class VideoPage(BaseModel):
    """A page of videos."""

    object: str = Field(default="list", description="Always list")
    data: list[Video] = Field(description="The videos")
    first_id: str | None = Field(description="The id of the first one; null for an empty page")
    last_id: str | None = Field(description="What after takes for the next page; null if empty")
    has_more: bool = Field(description="True if more follow")


class DeletedVideo(BaseModel):
    """A video that is gone."""

    id: str = Field(description="What its id was")
    deleted: bool = Field(default=True, description="Always true")
    object: str = Field(default="video.deleted", description="Always video.deleted")


class ErrorObject(BaseModel):
    """What is wrong."""

    message: str = Field(description="For people: everything that is wrong")
    type: str = Field(description="OpenAI's word for the kind of error")
    param: str | None = Field(default=None, description="The first field that is wrong, or null")
    code: str | None = Field(default=None, description="For programs: a word of tiomagic's errors")
    problems: list[dict[str, Any]] | None = Field(
        default=None, description="Each with field, message, given and nearest"
    )


class ErrorAnswer(BaseModel):
    """An answer that is an error."""

    error: ErrorObject = Field(description="What is wrong")


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
