"""Reads videos: retrieve, list, delete, content."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tiomagic.display.phrases.job_warnings import say_job_warnings
from tiomagic.display.phrases.vocabulary import PYTHON_WORDS
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.provider import RETRY_AFTER
from tiomagic_server.answering.errors import PlainAnswer
from tiomagic_server.answering.openai import (
    POLL_AFTER_MS,
    DeletedVideo,
    Video,
    VideoPage,
    to_page,
    to_video,
)
from tiomagic_server.jobs.media import MEDIA_TYPES, ContentVariant, find_file, forget_pictures
from tiomagic_server.routes.answers import ERRORS, KEY, POLL_HEADER, VideoId, describe_header
from tiomagic_server.routes.context import ServerContext, caller_of

CANCEL_TIMEOUT_S: Final = 30.0
"""Seconds that a deletion waits for a run to stop."""
CANCEL_POLL_S: Final = 0.25
MAX_PAGE: Final = 100
"""Most videos of a page."""


class ListOrder(StrEnum):
    """The order of a list."""

    ASCENDING = "asc"
    DESCENDING = "desc"


def answer_video(job: Job) -> PlainAnswer:
    """Return a job as OpenAI's client reads it, with the time of its next question."""
    video = to_video(job, say_job_warnings(job, PYTHON_WORDS))
    headers = {}
    if not job.status.is_terminal:
        pause = job.facts.get(RETRY_AFTER)
        wait_ms = int(pause * 1000) if isinstance(pause, int | float) else 0
        headers["openai-poll-after-ms"] = str(max(POLL_AFTER_MS, wait_ms))
    return PlainAnswer(video.model_dump(), headers=headers)


def build_reading(context: ServerContext) -> APIRouter:
    """Return the routes that read and delete videos in OpenAI's form."""
    router = APIRouter(tags=["videos"], responses=ERRORS, dependencies=[KEY])

    @router.get("/v1/videos", response_model=VideoPage, summary="List videos")
    async def list_videos(
        request: Request,
        limit: Annotated[int, Query(ge=1, le=MAX_PAGE, description="Most videos")] = 20,
        after: Annotated[str | None, Query(description="The last id of the page before")] = None,
        order: Annotated[
            ListOrder, Query(description="By the time of creation")
        ] = ListOrder.DESCENDING,
    ) -> PlainAnswer:
        caller = caller_of(request)
        jobs, more = await context.read(
            lambda: context.desk.list_page(
                caller, limit=limit, after=after, oldest_first=order is ListOrder.ASCENDING
            )
        )
        return PlainAnswer(to_page(jobs, has_more=more).model_dump())

    @router.get(
        "/v1/videos/{video_id}",
        response_model=Video,
        summary="Look at a video",
        responses={200: {"headers": POLL_HEADER}},
    )
    async def retrieve_video(video_id: VideoId, request: Request) -> PlainAnswer:
        caller = caller_of(request)
        return answer_video(await context.read(lambda: context.desk.look(video_id, caller)))

    @router.delete("/v1/videos/{video_id}", response_model=DeletedVideo, summary="Delete a video")
    async def delete_video(video_id: VideoId, request: Request) -> PlainAnswer:
        await delete_job(context, request, video_id)
        return PlainAnswer(DeletedVideo(id=video_id).model_dump())

    @router.head("/v1/videos/{video_id}/content", include_in_schema=False)
    @router.get(
        "/v1/videos/{video_id}/content",
        summary="Fetch a video, its thumbnail or a sheet of its frames",
        response_class=Response,
        responses=FILE_ANSWERS,
    )
    async def download_content(
        video_id: VideoId,
        request: Request,
        variant: Annotated[ContentVariant, Query(description="What")] = ContentVariant.VIDEO,
    ) -> Response:
        return await answer_content(context, request, video_id, variant)

    return router


CONTENT: Final[dict[str, Any]] = {
    "description": "The file",
    "content": {
        kind: {"schema": {"type": "string", "format": "binary"}}
        for kind in sorted(set(MEDIA_TYPES.values()))
    },
}
FILE_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    200: CONTENT,
    206: {
        **CONTENT,
        "description": "The part of the file that the header Range asks for",
        "headers": {"Content-Range": describe_header("Which part of how many bytes")},
    },
    416: {"description": "No such part of the file"},
}
"""Answers with a file."""


async def answer_content(
    context: ServerContext, request: Request, video_id: str, variant: ContentVariant
) -> Response:
    """Return a file of a video."""
    caller = caller_of(request)
    job = await context.read(lambda: context.desk.look(video_id, caller))
    path = await context.draw(lambda: find_file(context.tm, job, variant))
    return FileResponse(path, media_type=MEDIA_TYPES[variant], filename=path.name)


async def delete_job(context: ServerContext, request: Request, video_id: str) -> None:
    """Delete a job; one that is not over is canceled first, and its end waited for.

    Raises:
        ValidationError: when it has not stopped in time, with the code ``job_not_over``.
    """
    caller = caller_of(request)
    job = await context.read(lambda: context.desk.find(video_id, caller))
    if not job.status.is_terminal:
        job = await _stop(context, job)
    await context.read(lambda: context.webhooks.note_end(job))
    await context.read(lambda: context.desk.delete(job))
    await context.read(lambda: forget_pictures(context.tm, job.job_id))


async def _stop(context: ServerContext, job: Job) -> Job:
    job = await context.read(lambda: context.desk.cancel(job))
    with anyio.move_on_after(CANCEL_TIMEOUT_S):
        while not job.status.is_terminal:
            await anyio.sleep(CANCEL_POLL_S)
            before = job
            job = await context.read(lambda: context.desk.check(before))  # noqa: B023 - awaited here
    if not job.status.is_terminal:
        raise ValidationError(
            "the video is being canceled, and its run has not stopped yet: delete it again later",
            details={"job_id": job.job_id},
            code=ErrorCode.JOB_NOT_OVER,
        )
    return job
