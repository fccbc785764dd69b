"""The ASGI application over a ``TioMagic``: its routes and what guards them."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import anyio.to_thread
from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.routing import Match

from tiomagic import TioMagic, __version__
from tiomagic.display.journal import get_logger
from tiomagic.ui.web.origins import AllowedHosts, is_loopback
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.requests.wire import FULL_DISK
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.access.bodies import BodyLimits
from tiomagic_server.access.gate import Gate
from tiomagic_server.access.keys import ClientKeys
from tiomagic_server.access.links import ContentLinks
from tiomagic_server.answering.errors import (
    INSIDE,
    PlainAnswer,
    answer_error,
    build_error,
    say_status,
    status_of,
)
from tiomagic_server.answering.schema_errors import read_schema_errors
from tiomagic_server.asking.bodies import MAX_JSON_BYTES
from tiomagic_server.jobs.desk import JobDesk
from tiomagic_server.mcp.over_http import RemoteAgents
from tiomagic_server.metrics import CountedRequests, ServerMetrics
from tiomagic_server.options import ServeOptions
from tiomagic_server.page import PageBesideApi
from tiomagic_server.probes import build_probes
from tiomagic_server.processes import end_with_parent
from tiomagic_server.routes.context import ServerContext
from tiomagic_server.routes.creating import build_creating
from tiomagic_server.routes.following import build_following
from tiomagic_server.routes.models import build_models
from tiomagic_server.routes.openrouter import build_openrouter
from tiomagic_server.routes.reading import build_reading
from tiomagic_server.webhooks.dispatching import WebhookDispatcher
from tiomagic_server.webhooks.receivers import WebhookReceivers
from tiomagic_server.webhooks.registering import WebhookRegistry
from tiomagic_server.webhooks.sending import WebhookSender

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Scope

    from tiomagic.ui.serve import MountedPage

OPTIONS_VARIABLE: Final = "TIOMAGIC_SERVE_PROCESS"
"""The variable by which the processes of a server get their options."""

METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
"""Methods that a route may have."""

LOG_AFTER_S: Final = 10.0
"""Seconds after which ``generation_log.json`` has a change: it is for people and old scripts."""


def create_app(tm: TioMagic, options: ServeOptions, page: MountedPage | None = None) -> ASGIApp:
    """Return the application, with everything that guards it.

    Args:
        tm: Whose jobs it serves.
        options: How.
        page: Gets its paths; None for the API alone.
    """
    tm.session.container.journal().write_late(LOG_AFTER_S)
    state_dir = tm.session.settings.state_dir
    keys, links = ClientKeys(state_dir), ContentLinks(state_dir)
    names = AllowedHosts.of(options.host, options.allowed_hosts)
    metrics = ServerMetrics(tm)
    api = build_api(tm, options, metrics, links, page)
    largest = options.max_body_mib * 2**20
    bounded = BodyLimits(api, largest=largest, largest_whole=MAX_JSON_BYTES)
    needs_key = not is_loopback(options.host)
    gate = Gate(bounded, names=names, keys=keys, links=links, needs_key=needs_key)
    return CountedRequests(PageBesideApi(gate, page) if page else gate, metrics)


def build_api(
    tm: TioMagic,
    options: ServeOptions,
    metrics: ServerMetrics,
    links: ContentLinks,
    page: MountedPage | None = None,
) -> FastAPI:
    """Return the routes of the server, without what guards them."""
    registry = WebhookRegistry(tm, allow_private=options.allow_private_webhooks)
    context = ServerContext(tm=tm, options=options, desk=JobDesk(tm), webhooks=registry)
    agents = RemoteAgents(context, links)
    app = FastAPI(
        title="tiomagic",
        version=__version__,
        description="Videos from the models of tiomagic, for clients of OpenAI and OpenRouter. "
        "Every error is an object `error`, also that of a path or a method that there is not.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        generate_unique_id_function=lambda route: route.name,
        lifespan=partial(_run, context, agents, page),
    )
    # First the fixed paths: /v1/videos/models is no id.
    for build in (
        build_models,
        build_creating,
        build_following,
        build_reading,
    ):
        app.include_router(build(context))
    app.include_router(build_openrouter(context, links))
    app.include_router(build_probes(tm, metrics))
    app.router.routes.append(agents.route)
    _handle_errors(app)
    return app


@asynccontextmanager
async def _run(
    context: ServerContext, agents: RemoteAgents, page: MountedPage | None, _: FastAPI
) -> AsyncIterator[None]:
    """Follow again what the last server left, and then serve."""
    beside = page.run() if page else nullcontext()
    async with beside, agents.run(), anyio.create_task_group() as tasks:
        tasks.start_soon(_recover, context)
        tasks.start_soon(_build_dispatcher(context).run)
        yield
        tasks.cancel_scope.cancel()


def _build_dispatcher(context: ServerContext) -> WebhookDispatcher:
    sender = WebhookSender(allow_private=context.options.allow_private_webhooks)
    receivers = WebhookReceivers(context.tm.session.settings.state_dir)
    return WebhookDispatcher(context.tm, sender, receivers)


async def _recover(context: ServerContext) -> None:
    try:
        recover = partial(context.tm.session.generation.recover, leave_unsent=True)
        await anyio.to_thread.run_sync(recover, abandon_on_cancel=True)
    except TioMagicError as error:
        get_logger().warning("run.troubled", error=error.message, code=error.code)


def _handle_errors(app: FastAPI) -> None:
    """Answer every error in the form that clients read."""

    async def ours(request: Request, error: Any) -> PlainAnswer:
        if status_of(error) >= 500:
            get_logger().error("server.failed", path=request.url.path, error=error.message)
        return answer_error(request, error)

    async def of_framework(request: Request, error: Any) -> PlainAnswer:
        return _answer_refusal(app, request, error)

    async def of_query(request: Request, error: Any) -> PlainAnswer:
        problems = read_schema_errors(error.errors(), skip=1)
        return answer_error(request, ValidationError.of(problems, subject="the request"))

    async def of_gone_client(request: Request, _: Exception) -> PlainAnswer:
        # Its connection has ended within the body: nobody reads this.
        return build_error(request, 400, "the body has no end", code=ErrorCode.INVALID_INPUT)

    async def of_system(request: Request, error: Any) -> PlainAnswer:
        if error.errno not in FULL_DISK:  # Uploads wait there for their end.
            raise error
        get_logger().error("server.failed", path=request.url.path, error=repr(error))
        message = INSIDE.format(ErrorCode.DISK_FULL)
        return build_error(request, 507, message, code=ErrorCode.DISK_FULL)

    async def unexpected(request: Request, error: Exception) -> PlainAnswer:
        get_logger().error(
            "server.failed", path=request.url.path, error=repr(error), exc_info=error
        )
        message = "the server failed; its log says why"
        return build_error(request, 500, message, code=ErrorCode.UNEXPECTED)

    app.add_exception_handler(TioMagicError, ours)
    app.add_exception_handler(HTTPException, of_framework)
    app.add_exception_handler(RequestValidationError, of_query)
    app.add_exception_handler(ClientDisconnect, of_gone_client)
    app.add_exception_handler(OSError, of_system)
    app.add_exception_handler(Exception, unexpected)


def _answer_refusal(app: FastAPI, request: Request, error: Any) -> PlainAnswer:
    """Return the answer to a request that no route takes, or whose body has no form."""
    status, message = error.status_code, str(error.detail)
    headers = {name.lower(): value for name, value in (error.headers or {}).items()}
    path = shorten_repr(request.url.path)
    if status == 404:
        message = f"there is no {request.method} {path}; see /openapi.json"
    if status == 405:
        # The framework names the methods of one route alone.
        headers["allow"] = ", ".join(_find_methods(app, request.scope))
        message = f"{path} has no {request.method}; it has {headers['allow']}"
    return build_error(request, status, message, code=say_status(status), headers=headers)


def _find_methods(app: FastAPI, scope: Scope) -> list[str]:
    """Return the methods that a path has, through all routes."""
    return [
        method
        for method in METHODS
        if any(one.matches({**scope, "method": method})[0] is Match.FULL for one in app.routes)
    ]


def create_from_environment() -> ASGIApp:
    """Return the application of one of several processes; ``serving`` has set its options."""
    end_with_parent()
    options = ServeOptions.from_json(os.environ[OPTIONS_VARIABLE])
    return create_app(connect(options), options)


def connect(options: ServeOptions) -> TioMagic:
    """Return ``tm`` as the server uses it: with a provider, and silent."""
    tm = TioMagic(announce_jobs=False)
    if options.provider is not None:
        tm.configure(provider=options.provider)  # type: ignore[arg-type]  # It is checked there.
    elif tm.settings.provider is None:
        tm.configure(provider="local")  # As the other commands do.
    return tm
