"""The same jobs in OpenRouter's form, under ``/api/v1``."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from tiomagic_domain.jobs.job import Job
from tiomagic_server.access.links import ContentLinks
from tiomagic_server.answering.errors import PlainAnswer
from tiomagic_server.answering.openrouter import OpenRouterErrorAnswer, OpenRouterJob, to_generation
from tiomagic_server.jobs.media import ContentVariant
from tiomagic_server.routes.answers import KEY, OPENROUTER_ERRORS, VideoId
from tiomagic_server.routes.context import ServerContext, caller_of
from tiomagic_server.routes.creating import CREATE_BODY, create_job, find_base
from tiomagic_server.routes.reading import answer_content, describe_file


def build_openrouter(context: ServerContext, links: ContentLinks) -> APIRouter:
    """Return the routes in OpenRouter's form.

    Args:
        context: What every route needs.
        links: Makes addresses of videos that need no key: some clients send none for them.
    """

    def describe(job: Job, request: Request) -> dict[str, object]:
        base = find_base(request)
        content = links.make(f"{base}/videos", job.job_id, caller_of(request).key_id)
        return to_generation(job, base, content).model_dump(exclude_none=True)

    router = APIRouter(
        prefix="/api/v1", tags=["openrouter"], responses=OPENROUTER_ERRORS, dependencies=[KEY]
    )

    @router.post(
        "/videos",
        status_code=202,
        response_model=OpenRouterJob,
        summary="Make a video",
        openapi_extra=CREATE_BODY,
    )
    async def generate(request: Request) -> PlainAnswer:
        job = await create_job(context, request)
        return PlainAnswer(describe(job, request), 202)

    @router.get("/videos/{job_id}", response_model=OpenRouterJob, summary="Look at a video")
    async def get_generation(job_id: VideoId, request: Request) -> PlainAnswer:
        caller = caller_of(request)
        job = await context.read(lambda: context.desk.look(job_id, caller))
        return PlainAnswer(describe(job, request))

    @router.head("/videos/{job_id}/content", include_in_schema=False)
    @router.get(
        "/videos/{job_id}/content",
        summary="Fetch a video",
        response_class=Response,
        responses=describe_file(OpenRouterErrorAnswer),
    )
    async def get_content(job_id: VideoId, request: Request) -> Response:
        return await answer_content(context, request, job_id, ContentVariant.VIDEO)

    return router
