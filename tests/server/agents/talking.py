"""An agent: the protocol's own client, with a connection of its own for each call."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import httpx2
from mcp import Client
from mcp.client.streamable_http import streamable_http_client


class Agent:
    """Calls tools, of a server in this process or at an address.

    Args:
        server: The server, or its address.
        key: The key that an address wants; None for none.
        mode: How the client negotiates: ``auto``, or ``legacy`` as clients before 2026 do.
    """

    def __init__(self, server: Any, key: str | None = None, mode: str = "auto") -> None:
        self.server = server
        self._headers = {} if key is None else {"authorization": f"Bearer {key}"}
        self._mode = mode

    def talk(self, ask: Callable[[Client], Awaitable[Any]]) -> Any:
        """Connect, and return what a conversation returns."""

        async def talking() -> Any:
            if not isinstance(self.server, str):
                async with Client(self.server) as client:
                    return await ask(client)
            async with httpx2.AsyncClient(headers=self._headers, timeout=120) as http:
                transport = streamable_http_client(self.server, http_client=http)
                async with Client(transport, mode=self._mode) as client:
                    return await ask(client)

        return asyncio.run(talking())

    def tools(self) -> dict[str, Any]:
        """Return the tools by name."""
        found = self.talk(lambda client: client.list_tools())
        return {tool.name: tool for tool in found.tools}

    def send(self, tool: str, **arguments: Any) -> Any:
        """Return the whole answer of a tool."""
        return self.talk(lambda client: client.call_tool(tool, arguments))

    def get(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return what a tool found."""
        answer = self.send(tool, **arguments)
        assert not answer.is_error, answer.content
        found: dict[str, Any] = answer.structured_content
        return found

    def refusal(self, tool: str, **arguments: Any) -> str:
        """Return why a tool refused."""
        answer = self.send(tool, **arguments)
        assert answer.is_error, answer.content
        return str(answer.content[0].text)
