"""Serves one agent over standard input and output: ``tiomagic mcp``."""

from __future__ import annotations

from tiomagic import TioMagic
from tiomagic_server.mcp.server import build_mcp_server

__all__ = ["serve_agent"]


def serve_agent(tm: TioMagic) -> None:
    """Answer an agent until it closes standard input. Jobs go on without it.

    Args:
        tm: With a provider, and silent: standard output is the agent's alone.
    """
    build_mcp_server(tm).run("stdio")
