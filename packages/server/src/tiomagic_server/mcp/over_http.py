"""Serves agents of other machines at ``/mcp``, by streamable HTTP.

Each request stands for itself, without a session: it may reach any of several processes, and a
restart ends nothing. What guards the other routes guards this one: host name, website, key, sizes.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Any, Final

from mcp.server.transport_security import TransportSecuritySettings
from starlette.requests import Request
from starlette.routing import Match, Route
from starlette.types import Receive, Scope, Send

from tiomagic_server.access.links import ContentLinks
from tiomagic_server.access.secret import load_secret
from tiomagic_server.answering.errors import build_error, say_status
from tiomagic_server.mcp.confirmations import Confirmations
from tiomagic_server.mcp.server import build_tool_server
from tiomagic_server.mcp.tools import McpOptions
from tiomagic_server.routes.context import ServerContext

PATH: Final = "/mcp"
MAX_BODY_BYTES: Final = 16 * 2**20
"""Size of one message with its pictures as data: URLs."""


class RemoteAgents:
    """The endpoint of agents. An ASGI application.

    Args:
        context: What the routes of the server share.
        links: Makes the addresses of videos.
    """

    def __init__(self, context: ServerContext, links: ContentLinks) -> None:
        secret = load_secret(context.tm.session.settings.state_dir, "confirmations")
        server = build_tool_server(
            context, Confirmations(secret), McpOptions(is_remote=True), links
        )
        server.streamable_http_app(
            stateless_http=True,
            max_request_body_size=MAX_BODY_BYTES,
            # The gate before all routes has looked at Host and Origin.
            transport_security=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        self._manager = server.session_manager

    @property
    def route(self) -> Route:
        """The route of the endpoint."""
        return _NamedRoute(PATH, endpoint=self, include_in_schema=False)

    def run(self) -> AbstractAsyncContextManager[Any]:
        """Return the time in which it answers."""
        return self._manager.run()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["method"] != "POST":
            # A stream to listen on, and the end of a session: there are no sessions.
            message = f"{PATH} has no {scope['method']}; it has POST"
            answer = build_error(
                Request(scope), 405, message, code=say_status(405), headers={"allow": "POST"}
            )
            await answer(scope, receive, send)
            return
        await self._manager.handle_request(scope, receive, send)


class _NamedRoute(Route):
    """A route that metrics know by its path, as those of FastAPI."""

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        match, child = super().matches(scope)
        return match, {**child, "route": self}
