"""Reads videos: retrieve, list, delete, content."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Query
from pydantic import BaseModel
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, Response
from starlette.types import Message, Receive, Scope, Send

from tiomagic.display.phrases.job_warnings import say_job_warnings
from tiomagic.display.phrases.vocabulary import PYTHON_WORDS
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.provider import RETRY_AFTER
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.answering.errors import PlainAnswer, build_error
from tiomagic_server.answering.openai import (
    POLL_AFTER_MS,
    DeletedVideo,
    ErrorAnswer,
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
WRONG_RANGES: Final = frozenset({400, 416})
"""Statuses of a header ``Range`` that cannot be read, and of one beyond the file."""


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
        responses=describe_file(ErrorAnswer),
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


def describe_file(errors: type[BaseModel]) -> dict[int | str, dict[str, Any]]:
    """Return the description of the answers of a route that gives a file.

    Args:
        errors: The form of its errors.
    """
    return {
        200: CONTENT,
        206: {
            **CONTENT,
            "description": "The part of the file that the header Range asks for",
            "headers": {"Content-Range": describe_header("Which part of how many bytes")},
        },
        416: {
            "model": errors,
            "description": "No such part of the file",
            "headers": {"Content-Range": describe_header("How many bytes there are")},
        },
    }


class ContentAnswer(FileResponse):
    """A file, or the part that ``Range`` asks for; a wrong one is an error as all others are."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it."""
        refused: PlainAnswer | None = None

        async def send_checked(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and message["status"] in WRONG_RANGES:
                refused = _refuse_range(Request(scope), message)
            elif refused is None:
                await send(message)

        await super().__call__(scope, receive, send_checked)
        if refused is not None:
            await refused(scope, receive, send)


def _refuse_range(request: Request, begun: Message) -> PlainAnswer:
    status = int(begun["status"])
    size = Headers(raw=begun["headers"]).get("content-range")
    problem = Problem(
        field="Range",
        message="must be parts of the file, such as bytes=0-1023"
        + (f"; it has {size.rpartition('/')[2]} bytes" if size else ""),
        given=shorten_repr(request.headers.get("range", "")),
    )
    return build_error(
        request,
        status,
        f"{problem} (the headers)",
        code=ErrorCode.INVALID_INPUT,
        param=problem.field,
        problems=[problem.to_dict()],
        headers={} if size is None else {"content-range": size},
    )


async def answer_content(
    context: ServerContext, request: Request, video_id: str, variant: ContentVariant
) -> Response:
    """Return a file of a video."""
    caller = caller_of(request)
    job = await context.read(lambda: context.desk.look(video_id, caller))
    path = await context.draw(lambda: find_file(context.tm, job, variant))
    return ContentAnswer(path, media_type=MEDIA_TYPES[variant], filename=path.name)


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
