"""Follows videos to their end: events, and a request that waits for the video."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any, Final

import anyio
from fastapi import APIRouter, Header
from sse_starlette.sse import EventSourceResponse
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_server.answering.errors import build_error
from tiomagic_server.answering.openai import STATUSES, to_video
from tiomagic_server.jobs.callers import Caller
from tiomagic_server.jobs.media import MEDIA_TYPES, ContentVariant, find_file
from tiomagic_server.routes.answers import ERRORS, KEY, VideoId, describe_header
from tiomagic_server.routes.context import ServerContext, caller_of
from tiomagic_server.routes.creating import CREATE_BODY, create_job
from tiomagic_server.routes.reading import CONTENT

LOOK_EVERY_S: Final = 0.5
"""Seconds between two looks at a job that is followed."""
PING_S: Final = 15
"""Seconds after which a silent stream says that it is there."""
FAREWELL_S: Final = 5.0
"""Seconds that a stream has to end in order when the server is stopped."""
SYNC_TIMEOUT_S: Final = 600.0
"""Seconds that a request may wait for its video."""
SYNC_HEADERS: Final = {
    "x-video-id": describe_header("The id of the video; also of an error after it was stored"),
    "x-inference-time-s": describe_header("Seconds that its run took, where they are known"),
}
_EVENT_ID: Final = re.compile(r"[0-9]{1,18}")
"""The version of a job; longer numbers are none, and slow to read."""
_SSE: Final[dict[str, Any]] = {
    "description": "Events named video.queued, video.in_progress, video.completed, video.failed",
    "content": {"text/event-stream": {"schema": {"type": "string"}}},
}


def build_following(context: ServerContext) -> APIRouter:
    """Return the routes that last until a video is made."""
    router = APIRouter(tags=["videos"], responses=ERRORS, dependencies=[KEY])

    @router.get(
        "/v1/videos/{video_id}/events",
        summary="Follow a video: every change, as server-sent events",
        response_class=Response,
        responses={200: _SSE, 204: {"description": "The end was seen already: do not come again"}},
    )
    async def follow_video(
        video_id: VideoId,
        request: Request,
        last_event_id: Annotated[
            str, Header(description="The id of the last event that came: the rest follows")
        ] = "",
    ) -> Response:
        caller = caller_of(request)
        seen = int(last_event_id) if _EVENT_ID.fullmatch(last_event_id) else 0
        job = await context.read(lambda: context.desk.look(video_id, caller))
        if job.status.is_terminal and seen >= job.version:
            return Response(status_code=204)
        stopping = anyio.Event()
        return EventSourceResponse(
            _follow(context, caller, job, seen, stopping),
            ping=PING_S,
            shutdown_event=stopping,
            shutdown_grace_period=FAREWELL_S,
        )

    @router.post(
        "/v1/videos/sync",
        summary="Make a video and wait for it",
        response_class=Response,
        responses={200: {**CONTENT, "headers": SYNC_HEADERS}},
        openapi_extra=CREATE_BODY,
    )
    async def make_and_wait(request: Request) -> Response:
        job = await create_job(context, request)
        caller, job_id = caller_of(request), job.job_id
        headers = {"x-video-id": job.job_id}
        with anyio.move_on_after(SYNC_TIMEOUT_S):
            while not job.status.is_terminal:
                await anyio.sleep(LOOK_EVERY_S)
                job = await context.read(lambda: context.desk.look(job_id, caller))
        if not job.status.is_terminal:
            message = f"the video goes on: ask for /v1/videos/{job.job_id}"
            return build_error(request, 504, message, code=ErrorCode.TIMEOUT, headers=headers)
        if job.status is not JobStatus.COMPLETED:
            message = job.error or job.message or "the video was not made"
            code = job.error_code or job.status.value
            return build_error(request, 422, message, code=code, headers=headers)
        path = await context.draw(lambda: find_file(context.tm, job, ContentVariant.VIDEO))
        if job.started_at is not None and job.ended_at is not None:
            took = (job.ended_at - job.started_at).total_seconds()
            headers["x-inference-time-s"] = f"{took:.3f}"
        kind = MEDIA_TYPES[ContentVariant.VIDEO]
        return FileResponse(path, media_type=kind, filename=path.name, headers=headers)

    return router


async def _follow(
    context: ServerContext, caller: Caller, job: Job, seen: int, stopping: anyio.Event
) -> AsyncIterator[dict[str, str]]:
    """Yield each state of a job that is newer than the last one that was seen.

    It ends with the job, or with the server: the client comes again with the last id.
    """
    while True:
        if job.version > seen:
            seen = job.version
            yield _to_event(job)
        if job.status.is_terminal:
            return
        with anyio.move_on_after(LOOK_EVERY_S):
            await stopping.wait()
            return
        try:
            before = job
            job = await context.read(lambda: context.desk.look(before.job_id, caller))  # noqa: B023 - awaited here
        except ResourceNotFoundError:
            return  # It was deleted meanwhile.


def _to_event(job: Job) -> dict[str, str]:
    progress = None if job.progress is None else job.progress.to_dict()
    data = {**to_video(job).model_dump(), "run": progress}
    return {
        "id": str(job.version),
        "event": f"video.{STATUSES[job.status]}",
        "data": json.dumps(data),
    }
