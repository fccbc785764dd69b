"""Builds the MCP server: the tools over a ``TioMagic``, with errors that an agent can act on."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import Awaitable, Callable, Iterator
from typing import Any, Final, ParamSpec, TypeVar

from mcp.server import MCPServer
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.exceptions import ToolError
from mcp.types import CallToolResult, InputRequiredResult, ToolAnnotations
from pydantic import ValidationError as SchemaError

from tiomagic import TioMagic, __version__
from tiomagic.display.journal import get_logger
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_server.access.links import ContentLinks
from tiomagic_server.answering.errors import ABOUT_THE_MACHINE, INSIDE, status_of
from tiomagic_server.answering.schema_errors import read_schema_errors
from tiomagic_server.asking.bodies import MAX_JSON_PARTS
from tiomagic_server.jobs.desk import JobDesk
from tiomagic_server.mcp.confirmations import Confirmations
from tiomagic_server.mcp.tools import McpOptions, VideoTools
from tiomagic_server.mcp.words import INSTRUCTIONS
from tiomagic_server.options import ServeOptions
from tiomagic_server.routes.context import ServerContext
from tiomagic_server.webhooks.registering import WebhookRegistry

__all__ = ["McpOptions", "build_mcp_server", "build_tool_server"]

_READS: Final = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_MAKES: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=False, idempotent_hint=True, open_world_hint=True
)
_ENDS: Final = ToolAnnotations(
    read_only_hint=False, destructive_hint=True, idempotent_hint=True, open_world_hint=False
)

P = ParamSpec("P")
R = TypeVar("R")


def build_mcp_server(
    tm: TioMagic,
    options: McpOptions | None = None,
    confirmations: Confirmations | None = None,
) -> MCPServer[Any]:
    """Return the MCP server with all tools.

    Args:
        tm: Whose jobs it makes and shows; with a provider.
        options: How the tools behave; None for an agent of this machine.
        confirmations: Makes and checks the tokens of plans; None for ones of this process.
    """
    registry = WebhookRegistry(tm, allow_private=False)
    context = ServerContext(tm=tm, options=ServeOptions(), desk=JobDesk(tm), webhooks=registry)
    return build_tool_server(context, confirmations or Confirmations(), options or McpOptions())


def build_tool_server(
    context: ServerContext,
    confirmations: Confirmations,
    options: McpOptions,
    links: ContentLinks | None = None,
) -> MCPServer[Any]:
    """Return the MCP server with all tools, over what the routes of a server share."""
    tools = VideoTools(context, confirmations, options, links)
    with _keep_logging():
        server: MCPServer[Any] = _ToolServer(
            "tiomagic", title="tiomagic", instructions=INSTRUCTIONS, version=__version__
        )
    hide = options.is_remote
    for call, hints in (
        (tools.list_models, _READS),
        (tools.describe_model, _READS),
        (tools.plan_video, _READS),
        (tools.make_video, _MAKES),
        (tools.check_video, _READS),
        (tools.cancel_video, _ENDS),
        (tools.search_videos, _READS),
    ):
        server.add_tool(translate_errors(call, hide=hide), annotations=hints)
    # A picture is content of its own, and no field of a structure.
    server.add_tool(
        translate_errors(tools.show_video, hide=hide), annotations=_READS, structured_output=False
    )
    return server


class _ToolServer(MCPServer[Any]):
    """Bounds the arguments of a call, and says in our words what is wrong with them."""

    async def call_tool(
        self, name: str, arguments: dict[str, Any], context: Context[Any, Any] | None = None
    ) -> CallToolResult | InputRequiredResult:
        """Call a tool."""
        if _count_parts(arguments) > MAX_JSON_PARTS:
            raise ToolError(
                f"the arguments have more than {MAX_JSON_PARTS:,} texts, brackets and commas "
                f"[{ErrorCode.TOO_LARGE}]"
            )
        try:
            return await super().call_tool(name, arguments, context)
        except ToolError as error:
            wrong = error.__cause__
            if not isinstance(wrong, SchemaError):
                raise
            found = read_schema_errors(wrong.errors(include_url=False))
            ours = ValidationError.of(found, subject=name)
            raise ToolError(f"{ours} [{ours.code}]") from wrong


def _count_parts(value: object) -> int:
    """Return how many texts, brackets and commas a value has as JSON, about."""
    found, waiting = 0, [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            found += 2 + 2 * len(one)
            waiting.extend(one.values())
        elif isinstance(one, list):
            found += 2 + len(one)
            waiting.extend(one)
        else:
            found += isinstance(one, str)
    return found


@contextlib.contextmanager
def _keep_logging() -> Iterator[None]:
    """Leave the root logger as it was: the SDK gives it a handler of its own."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    try:
        yield
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)


def translate_errors(call: Callable[P, Awaitable[R]], *, hide: bool) -> Callable[P, Awaitable[R]]:
    """Return a tool whose errors reach the agent with their text, code and advice.

    Args:
        call: The tool.
        hide: True to keep texts that name folders and hosts of this machine in its log.
    """

    @functools.wraps(call)
    async def calling(*args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return await call(*args, **kwargs)
        except TioMagicError as error:
            if hide and status_of(error) in ABOUT_THE_MACHINE:
                get_logger().error("server.failed", path="/mcp", error=error.message)
                raise ToolError(INSIDE.format(error.code)) from None
            raise ToolError(f"{error} [{error.code}]") from error

    return calling
