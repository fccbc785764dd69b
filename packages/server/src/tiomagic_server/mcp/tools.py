"""The tools of an agent, over the jobs of a ``TioMagic``.

Making a video may cost money, so ``make_video`` needs the confirmation that ``plan_video`` gave
with the price. Whoever runs the agent sees the plan before that. A confirmation holds for exactly
that call at that price and for who asked, and makes one job however often it is sent.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import anyio
from mcp.server.mcpserver import Context, Image
from mcp.server.mcpserver.exceptions import ToolError
from starlette.requests import Request

from tiomagic.api.arguments import build_job_query
from tiomagic.api.models import find_schema
from tiomagic.api.run_options import RunOptions
from tiomagic.types import AnyModel, AnyProvider
from tiomagic_domain.catalogue import find_feature, models
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_server.access.links import ContentLinks
from tiomagic_server.asking.calls import AskedVideo, read_inputs
from tiomagic_server.asking.references import ReadMedia
from tiomagic_server.jobs.callers import Caller
from tiomagic_server.mcp.confirmations import VALID_S, Confirmations, RefusedConfirmationError
from tiomagic_server.mcp.texts import describe_job, describe_planned
from tiomagic_server.mcp.words import (
    Arguments,
    Confirmation,
    FeatureWord,
    Frames,
    JobId,
    Limit,
    MaxCost,
    Model,
    ModelName,
    Since,
    StatusWord,
    Tag,
    Wait,
    Words,
)
from tiomagic_server.routes.context import ServerContext, caller_of

LOOK_EVERY_S: Final = 0.5
"""Seconds between two looks at a job that is waited for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class McpOptions:
    """How the tools behave."""

    is_remote: bool = False
    """True for agents of other machines: they name no files, and get no paths."""


class VideoTools:
    """The tools. Each public method is one, and its docstring is what the agent reads.

    Args:
        context: Whose jobs they are, and the threads to block in.
        confirmations: Makes and checks the tokens of plans.
        options: How they behave.
        links: Makes the addresses of videos for agents of other machines; None for none.
    """

    def __init__(
        self,
        context: ServerContext,
        confirmations: Confirmations,
        options: McpOptions,
        links: ContentLinks | None = None,
    ) -> None:
        self._links = links
        self._context = context
        self._tm = context.tm
        self._confirmations = confirmations
        self._options = options

    async def list_models(self, feature: FeatureWord) -> dict[str, Any]:
        """List the models that can make a video here, and the default one."""

        def read() -> dict[str, Any]:
            provider = self._tm.session.configured_provider()
            names = self._tm.get_models(feature, AnyProvider(provider))
            known = models()
            return {
                "provider": provider,
                "default": self._tm.get_default_model(feature=feature),
                "models": [
                    {"name": name, "title": known[name].title, "licence": known[name].licence}
                    for name in names
                ],
            }

        return await self._context.read(read)

    async def describe_model(self, feature: FeatureWord, model: ModelName) -> dict[str, Any]:
        """Return the JSON Schema of a model's arguments: inputs, settings, limits and defaults."""
        return await self._context.read(lambda: self._tm.get_json_schema(feature, AnyModel(model)))

    async def plan_video(
        self, ctx: Context, feature: FeatureWord, arguments: Arguments, model: Model = None
    ) -> dict[str, Any]:
        """Say what a video would be, take and cost, without making it. Makes and spends nothing.

        Returns the plan, and where it can run a confirmation for make_video. An estimate without an
        amount means that the price is not known.
        """
        caller = _caller(ctx)
        _, planned = await self._context.submit(
            lambda: self._plan(caller, feature, arguments, model)
        )
        said = describe_planned(planned)
        if planned["preflight"]["can_run"]:
            order = _order(caller, feature, arguments, model, planned)
            said["confirmation"] = self._confirmations.make(order)
            said["confirmation_valid_s"] = VALID_S
        return said

    async def make_video(
        self,
        ctx: Context,
        feature: FeatureWord,
        arguments: Arguments,
        confirmation: Confirmation,
        model: Model = None,
        max_cost: MaxCost = None,
    ) -> dict[str, Any]:
        """Start making a video that was planned, and return its job at once. May cost money.

        Sent again with the same confirmation it returns the same job and makes no second video.
        """
        caller = _caller(ctx)

        def make() -> Job:
            read, planned = self._plan(caller, feature, arguments, model)
            try:
                self._confirmations.check(
                    confirmation, _order(caller, feature, arguments, model, planned)
                )
            except RefusedConfirmationError as error:
                message = f"confirmation: {error}; call plan_video with this call"
                raise ToolError(message) from None
            asked = AskedVideo(
                feature=find_feature(feature),
                model=planned["model"],
                provider=planned["provider"],
                arguments=read,
                rename=lambda error: error,
            )
            # The token is the key: a lost answer that is asked for again finds the job.
            key = f"mcp-{confirmation}"
            return self._context.webhooks.submit(
                lambda job_id: self._context.desk.submit(
                    asked, caller, key, max_cost=max_cost, job_id=job_id
                ),
                caller,
            )

        return self._describe(ctx, await self._context.submit(make))

    async def check_video(self, ctx: Context, job_id: JobId, wait_s: Wait = 0) -> dict[str, Any]:
        """Look at a job: its status, progress, error, and where its video is.

        While it waits it reports progress.
        """
        caller = _caller(ctx)
        job = await self._context.read(lambda: self._look(job_id, caller))
        with anyio.move_on_after(wait_s):
            while wait_s and not job.status.is_terminal:
                await _report(ctx, job)
                await anyio.sleep(LOOK_EVERY_S)
                job = await self._context.read(lambda: self._look(job_id, caller))
        return self._describe(ctx, job)

    async def cancel_video(self, ctx: Context, job_id: JobId) -> dict[str, Any]:
        """Ask for the end of a job. It is over when check_video says ``canceled``."""
        caller = _caller(ctx)
        job = await self._context.read(
            lambda: self._context.desk.cancel(self._find(job_id, caller))
        )
        return self._describe(ctx, job)

    async def search_videos(
        self,
        ctx: Context,
        *,
        text: Words = None,
        status: StatusWord | None = None,
        model: Model = None,
        tag: Tag = None,
        since: Since = None,
        limit: Limit = 10,
    ) -> dict[str, Any]:
        """Find jobs of the past, the newest first."""
        owner = _caller(ctx).tag
        if tag is not None and owner is not None:
            raise ToolError("tag: the jobs of a key are found without tags; leave it out")
        filters = {"text": text, "status": status, "model": model, "tag": owner or tag}
        query = build_job_query({**filters, "since": since}, limit=limit)  # type: ignore[typeddict-item]  # Checked there.
        found = await self._context.read(lambda: self._tm.session.generation.list(query))
        return {"jobs": [self._describe(ctx, job) for job in found]}

    async def show_video(self, ctx: Context, job_id: JobId, frames: Frames = 8) -> list[Any]:
        """Return frames spread over a finished video as one picture, each with its time."""
        caller = _caller(ctx)

        def draw() -> tuple[Job, Image]:
            job = self._find(job_id, caller)
            with tempfile.TemporaryDirectory(prefix="tiomagic-mcp-") as folder:
                sheet = self._tm.contact_sheet(job.job_id, Path(folder), frames=frames)
                return job, Image(data=sheet.read_bytes(), format="png")

        job, picture = await self._context.draw(draw)
        return [json.dumps(self._describe(ctx, job), ensure_ascii=False), picture]

    def _plan(
        self, caller: Caller, feature: FeatureWord, arguments: Mapping[str, Any], model: str | None
    ) -> tuple[Mapping[str, Any], dict[str, Any]]:
        """Return the arguments of a call as its model takes them, and its plan."""
        _check_names(arguments)
        if self._options.is_remote:
            schema = find_schema(feature, model or self._tm.get_default_model(feature=feature))
            find_video = partial(self._context.desk.find_video, caller=caller)
            weights = self._context.options.allow_weights
            media = read_inputs(schema, arguments, find_video, allow_weights=weights)
            if media.problems:
                raise ValidationError.of(media.problems, subject="the call")
        else:
            media = ReadMedia(dict(arguments))
        try:
            name = AnyModel(model) if model else None
            planned = self._tm.plan(feature, name, **media.arguments)
        except ValidationError as error:
            raise media.show_as_sent(error) from error
        return media.arguments, planned

    def _find(self, job_id: str, caller: Caller) -> Job:
        if self._options.is_remote:
            return self._context.desk.find(job_id, caller)
        return self._tm.get_job(job_id).record  # The beginning of an id is enough.

    def _look(self, job_id: str, caller: Caller) -> Job:
        return self._context.desk.look(self._find(job_id, caller).job_id, caller)

    def _describe(self, ctx: Context, job: Job) -> dict[str, Any]:
        said = describe_job(job, is_remote=self._options.is_remote)
        request = ctx.request_context.request
        done = job.status is JobStatus.COMPLETED
        if done and self._links is not None and isinstance(request, Request):
            videos = f"{str(request.base_url).rstrip('/')}/v1/videos"
            said["video_url"] = self._links.make(videos, job.job_id, caller_of(request).key_id)
        return said


def _caller(ctx: Context) -> Caller:
    """Return who sends a call; an agent of this machine, without a request, owns all jobs."""
    request = ctx.request_context.request
    return caller_of(request) if isinstance(request, Request) else Caller()


async def _report(ctx: Context, job: Job) -> None:
    """Send the progress of a job, if the agent's program asked for it."""
    fraction = None if job.progress is None else job.progress.fraction
    message = job.status.value if job.progress is None else job.progress.phase.value
    await ctx.report_progress(round(100 * (fraction or 0.0), 1), 100, message)


def _order(
    caller: Caller,
    feature: str,
    arguments: Mapping[str, Any],
    model: str | None,
    planned: Mapping[str, Any],
) -> dict[str, Any]:
    """Return what a token confirms: who asks, the call as it came, where it runs, and its price."""
    estimate = planned.get("estimate") or {}
    return {
        "key": caller.key_id,
        "feature": feature,
        "arguments": dict(arguments),
        "model": planned["model"],
        "asked_model": model,
        "provider": planned["provider"],
        "cost": [estimate.get(name) for name in ("currency", "high", "amount")],
    }


def _check_names(arguments: Mapping[str, Any]) -> None:
    """Refuse options of how a call runs, which are the server's to choose."""
    taken = sorted(RunOptions.__annotations__.keys() & arguments.keys())
    if taken:
        raise ToolError(f"{', '.join(taken)}: not an argument of a video; leave it out")
