"""Guards every request: host name, website, key, id.

A server on loopback without keys is open to the programs of its machine, and must not be open to
the websites in its browsers: see :mod:`tiomagic.ui.web.origins`. With keys every request but the
probes shows one.
"""

from __future__ import annotations

import secrets
from typing import Final

from anyio import to_thread
from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiomagic.ui.web.origins import AllowedHosts, find_requested_host, is_cross_site
from tiomagic_domain.errors import TioMagicError
from tiomagic_server.access.keys import ClientKeys
from tiomagic_server.access.links import ContentLinks
from tiomagic_server.answering.codes import RefusalCode
from tiomagic_server.answering.errors import PlainAnswer, answer_error, build_error
from tiomagic_server.jobs.callers import Caller

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""Paths that need no key, for what watches the server."""


class Gate:
    """Lets requests pass that may. An ASGI middleware.

    Args:
        app: What is guarded.
        names: The host names of the server.
        keys: The keys of its clients.
        links: The addresses of videos that need none.
        needs_key: True to refuse everything while there is no key: other machines can ask.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        names: AllowedHosts,
        keys: ClientKeys,
        links: ContentLinks,
        needs_key: bool = False,
    ) -> None:
        self._app = app
        self._names = names
        self._keys = keys
        self._links = links
        self._needs_key = needs_key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # Nothing here is a WebSocket.
        request_id = f"req_{secrets.token_hex(12)}"

        async def send_marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = request_id
                headers["x-content-type-options"] = "nosniff"
            await send(message)

        request = Request(scope)
        answer = await self._judge(request, scope)
        if answer is None:
            await self._app(scope, receive, send_marked)
        else:
            await answer(scope, receive, send_marked)

    async def _judge(self, request: Request, scope: Scope) -> PlainAnswer | None:
        """Return the refusal of a request; None for one that passes, with its caller noted."""
        host = find_requested_host(request.headers, self._names)
        if host is None:
            message = "this server does not answer to this host name; whoever runs it can allow it"
            return build_error(request, 403, message, code=RefusalCode.WRONG_HOST)
        if is_cross_site(request.headers, host, navigation=False):
            return build_error(
                request, 403, "no other website may ask", code=RefusalCode.CROSS_SITE
            )
        if request.url.path in OPEN_PATHS:
            return None
        try:
            caller = await to_thread.run_sync(self._find_caller, request)
        except TioMagicError as error:
            return answer_error(request, error)
        if caller is None:
            message = "send a key of this server: Authorization: Bearer tio-…"
            return build_error(
                request,
                401,
                message,
                code=RefusalCode.INVALID_API_KEY,
                headers={"www-authenticate": "Bearer"},
            )
        scope["tiomagic.caller"] = caller
        return None

    def _find_caller(self, request: Request) -> Caller | None:
        known = self._keys.list()
        if not known:
            return None if self._needs_key else Caller()
        if "authorization" not in request.headers and request.method in {"GET", "HEAD"}:
            owner = self._links.find_key(request.url.path, request.query_params)
            return Caller(key_id=owner) if owner in {one.name for one in known} else None
        kind, _, shown = request.headers.get("authorization", "").partition(" ")
        found = self._keys.find(shown.strip()) if kind.lower() == "bearer" else None
        if found is None:
            return None
        return Caller(
            key_id=found.name, jobs_per_minute=found.jobs_per_minute, budgets=found.budgets
        )
