"""``tiomagic serve``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


class ServeAction(StrEnum):
    """What is done with the server."""

    RUN = "run"


def serve(
    action: Annotated[
        ServeAction,
        typer.Argument(help="run: answer until Ctrl-C."),
    ] = ServeAction.RUN,
    *,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Any but a loopback one needs a key."),
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on; 0 for any that is free.")] = 8000,
    workers: Annotated[
        int, typer.Option(min=1, max=64, help="Processes that answer; jobs have their own.")
    ] = 1,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further name that the server answers to, such as the one of a proxy before it; "
            "several times for several.",
        ),
    ] = None,
    provider: o.Provider = None,
    debug: o.Debug = False,
) -> None:
    """Answer video clients of OpenAI and OpenRouter.

    Runs until Ctrl-C or SIGTERM. Jobs go on without it, and it finds them when it is started again.
    """
    del action
    with reporting(as_json=False, debug=debug) as output:
        from tiomagic.wiring.extras import load_server  # noqa: PLC0415  # Not for --help.

        server = load_server()
        connect(output, provider=provider).close()  # A wrong setting is said before it listens.
        options = server.ServeOptions(
            host=host,
            port=port,
            workers=workers,
            allowed_hosts=tuple(allowed_host or ()),
            provider=provider,
        )

        def started(address: str) -> None:
            output.data(address, address)
            output.say("Ctrl-C ends the server; jobs go on.")

        server.serve(options, started)
