"""Makes videos: create, remix, extend, and what no model here can do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.answering.codes import RefusalCode
from tiomagic_server.answering.errors import OPENROUTER_PREFIX, PlainAnswer, build_error
from tiomagic_server.answering.openai import Video
from tiomagic_server.asking.bodies import read_fields
from tiomagic_server.asking.calls import read_call
from tiomagic_server.jobs.callers import Caller
from tiomagic_server.routes.answers import ERRORS, KEY, POLL_HEADER, VideoId, body_schema
from tiomagic_server.routes.context import ServerContext, caller_of
from tiomagic_server.routes.reading import answer_video
from tiomagic_server.webhooks.events import MessageForm
from tiomagic_server.webhooks.registering import FIELD, Callback

MAX_KEY_HEADERS: Final = 1
_TEXT: Final = {"type": "string"}
_PICTURE: Final = {
    "description": "A file of the form, an http(s) or data: address, or an object such as "
    '{"image_url": "https://…"}',
}
CREATE_FIELDS: Final[dict[str, Any]] = {
    "prompt": {**_TEXT, "description": "What the video shows"},
    "model": {**_TEXT, "description": "One of /v1/videos/models; the provider's own if left out"},
    "seconds": {"anyOf": [_TEXT, {"type": "number"}], "description": "Length of the video"},
    "size": {**_TEXT, "description": "Width x height; the nearest that the model makes"},
    "input_reference": _PICTURE,
    "frame_images": {
        "description": "First and last frame: objects with image_url and frame_type",
        "type": "array",
        "items": {"type": "object"},
    },
    "aspect_ratio": {**_TEXT, "description": "Such as 16:9"},
    "resolution": {**_TEXT, "description": "Such as 720p"},
    "seed": {"type": "integer", "description": "Repeats a video; drawn if left out"},
    FIELD: {**_TEXT, "description": "Gets a signed message when the video is over"},
}
"""The fields that most clients send; every parameter of a model is one as well."""
EXTENSION_FIELDS: Final = {
    "video": _PICTURE,
    **{name: CREATE_FIELDS[name] for name in ("prompt", "seconds", FIELD)},
}
CREATE_EXAMPLE: Final = {"model": "doodle", "prompt": "a red circle moves right", "seed": 7}
EXTENSION_EXAMPLE: Final = {"video": "ID_OF_A_COMPLETED_VIDEO", "prompt": "it turns back"}
"""The video is to be replaced by one of the caller's own."""
REMIX_EXAMPLE: Final = {"prompt": "a blue circle moves right"}
REMIX_FIELDS: Final = {name: CREATE_FIELDS[name] for name in ("prompt", FIELD)}
CREATE_BODY: Final = body_schema(CREATE_FIELDS, ["prompt"], CREATE_EXAMPLE, {"input_reference"})
"""The description of a request that makes a video."""


async def create_job(context: ServerContext, request: Request, *, extends: bool = False) -> Job:
    """Return the job of a request, stored and submitted.

    Args:
        context: Of the server.
        request: With the fields.
        extends: True for a video that goes on.
    """
    sent = _Sent.of(request)

    def create(fields: Mapping[str, Any]) -> Job:
        call = _as_extension(context, sent.caller, fields) if extends else fields
        return _create(context, sent, call)

    async with read_fields(request) as fields:
        return await context.submit(lambda: create(fields))


async def remix_job(context: ServerContext, video_id: str, request: Request) -> Job:
    """Return the job that repeats another one with other words, stored and submitted."""
    sent = _Sent.of(request)

    def remix(fields: dict[str, Any]) -> Job:
        callback = replace(sent.callback, url=fields.pop(FIELD, None))
        changes = _read_changes(fields)
        source = context.desk.find(video_id, sent.caller)
        return context.webhooks.submit(
            lambda job_id: context.desk.remix(source, changes, sent.caller, sent.key, job_id),
            sent.caller,
            callback,
        )

    async with read_fields(request) as fields:
        return await context.submit(lambda: remix(dict(fields)))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """What a request says beside its fields."""

    caller: Caller
    key: str | None
    callback: Callback

    @classmethod
    def of(cls, request: Request) -> _Sent:
        """Read a request."""
        is_openrouter = request.url.path.startswith(OPENROUTER_PREFIX)
        form = MessageForm.OPENROUTER if is_openrouter else MessageForm.OPENAI
        callback = Callback(form=form, base=find_base(request))
        return cls(caller=caller_of(request), key=read_key(request), callback=callback)


def find_base(request: Request) -> str:
    """Return the address of the API that a request speaks to, without a slash at its end."""
    root = str(request.base_url).rstrip("/")
    return f"{root}/api/v1" if request.url.path.startswith(OPENROUTER_PREFIX) else f"{root}/v1"


def _create(context: ServerContext, sent: _Sent, fields: Mapping[str, Any]) -> Job:
    asked = read_call(
        fields,
        context.tm.session,
        partial(context.desk.find_video, caller=sent.caller),
        allow_weights=context.options.allow_weights,
    )
    try:
        return context.webhooks.submit(
            lambda job_id: context.desk.submit(asked, sent.caller, sent.key, job_id=job_id),
            sent.caller,
            replace(sent.callback, url=asked.callback_url),
        )
    except ValidationError as error:
        raise asked.rename(error) from error


def read_key(request: Request) -> str | None:
    """Return the idempotency key of a request; None for none."""
    given = request.headers.getlist("idempotency-key")
    if len(given) > MAX_KEY_HEADERS:
        raise ValidationError("the header Idempotency-Key is given twice")
    return given[0] if given else None


def build_creating(context: ServerContext) -> APIRouter:
    """Return the routes that make videos in OpenAI's form."""
    router = APIRouter(tags=["videos"], responses=ERRORS, dependencies=[KEY])

    @router.post(
        "/v1/videos",
        response_model=Video,
        summary="Make a video",
        responses={200: {"headers": POLL_HEADER}},
        openapi_extra=CREATE_BODY,
    )
    async def create_video(request: Request) -> PlainAnswer:
        return answer_video(await create_job(context, request))

    @router.post(
        "/v1/videos/extensions",
        response_model=Video,
        summary="Continue a video: the old part and then a new one",
        responses={200: {"headers": POLL_HEADER}},
        openapi_extra=body_schema(EXTENSION_FIELDS, ["video"], EXTENSION_EXAMPLE, {"video"}),
    )
    async def extend_video(request: Request) -> PlainAnswer:
        return answer_video(await create_job(context, request, extends=True))

    @router.post(
        "/v1/videos/{video_id}/remix",
        response_model=Video,
        summary="Make a video again with another prompt",
        responses={200: {"headers": POLL_HEADER}},
        openapi_extra=body_schema(REMIX_FIELDS, ["prompt"], REMIX_EXAMPLE),
    )
    async def remix_video(video_id: VideoId, request: Request) -> PlainAnswer:
        return answer_video(await remix_job(context, video_id, request))

    @router.post(
        "/v1/videos/edits",
        status_code=400,
        operation_id="edit_video",
        summary="Not done: no model here edits a video",
    )
    @router.post(
        "/v1/videos/characters",
        status_code=400,
        operation_id="create_character",
        summary="Not done: no model here keeps characters",
    )
    async def refuse(request: Request) -> PlainAnswer:
        what = request.url.path.rpartition("/")[2]
        message = (
            f"no model of this server makes {what}; use /v1/videos/{{id}}/remix to make a video "
            "again with other words, or /v1/videos/extensions to continue one"
        )
        return build_error(request, 400, message, code=RefusalCode.NOT_SUPPORTED)

    return router


def _as_extension(
    context: ServerContext, caller: Caller, fields: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the fields of a call that continues a video; model and words are the old part's."""
    call = dict(fields)
    video = call.get("video")
    if video is None:
        problem = Problem(field="video", message="is needed: what goes on", given="nothing")
        raise ValidationError.of([problem], subject="the request")
    job_id = video.get("id") if isinstance(video, dict) else video
    if isinstance(job_id, str) and ":" not in job_id:
        source = context.desk.find(job_id, caller)
        call.setdefault("prompt", source.arguments.get("prompt"))
        call.setdefault("model", source.model)
    return call


def _read_changes(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a remix changes: the prompt."""
    problems = [
        Problem(
            field=name, message="cannot be changed by a remix", given=shorten_repr(fields[name])
        )
        for name in fields
        if name != "prompt"
    ]
    prompt = fields.get("prompt")
    if not isinstance(prompt, str):
        problems.append(
            Problem(field="prompt", message="is needed: what changes", given=shorten_repr(prompt))
        )
    if problems:
        raise ValidationError.of(problems, subject="a remix", code=ErrorCode.INVALID_INPUT)
    return {"prompt": prompt}
