"""``tiomagic mcp``."""

from __future__ import annotations

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect
from tiomagic.wiring.provider_names import DEFAULT_PROVIDER


def mcp(*, provider: o.Provider = None, debug: o.Debug = False) -> None:
    """Give an agent tools to make and find videos, by MCP.

    The agent starts this command and speaks to it over standard input and output. It plans a video
    with its price before it may make it. Jobs go on when the agent has gone.
    """
    with reporting(as_json=False, debug=debug) as output:
        from tiomagic.wiring.extras import load_server  # noqa: PLC0415  # Not for --help.

        agents = load_server("mcp")
        tm = connect(output, provider=provider)
        try:
            if tm.settings.provider is None:
                tm.configure(provider=DEFAULT_PROVIDER)  # As elsewhere.
            agents.serve_agent(tm)
        finally:
            tm.close()
