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
    KEYS = "keys"
    WEBHOOKS = "webhooks"


class ListAction(StrEnum):
    """What is done with the keys of its clients, or with their webhooks."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"
    ROTATE = "rotate"
    LOG = "log"


def serve(  # noqa: PLR0913 - one for each option
    action: Annotated[
        ServeAction,
        typer.Argument(
            help="run: answer until Ctrl-C. keys: the keys of clients. webhooks: where messages "
            "go, and what became of them."
        ),
    ] = ServeAction.RUN,
    what: Annotated[
        ListAction,
        typer.Argument(
            help="With keys: list, add or remove. With webhooks: list, add, remove, rotate for a "
            "new secret, or log for the newest messages."
        ),
    ] = ListAction.LIST,
    name: Annotated[
        str | None,
        typer.Argument(help="Whose key or webhooks; webhooks without a name are the server's own."),
    ] = None,
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
    allow_weights: Annotated[
        bool,
        typer.Option(
            "--allow-weights", help="Let clients name weights: files here, and repositories."
        ),
    ] = False,
    allow_private_webhooks: Annotated[
        bool,
        typer.Option(
            "--allow-private-webhooks", help="Send webhooks to this machine and private networks."
        ),
    ] = False,
    ui: Annotated[
        bool,
        typer.Option(
            "--ui",
            help="Serve the page of tiomagic ui too, at /. With keys add: the key opens the page, "
            "which shows the jobs of all.",
        ),
    ] = False,
    url: Annotated[
        str | None,
        typer.Option(
            help="With webhooks add: gets messages about all jobs of the key, not only about those "
            "that name an address."
        ),
    ] = None,
    jobs_per_minute: Annotated[
        int, typer.Option(help="With keys add: most jobs that the client may submit in a minute.")
    ] = 60,
    daily_budget: Annotated[
        str | None,
        typer.Option(
            metavar="AMOUNT",
            help="With keys add: what the client's videos of a day (UTC) may cost together, such "
            "as 2.50 (USD) or '2.50 EUR'.",
        ),
    ] = None,
    monthly_budget: Annotated[
        str | None,
        typer.Option(metavar="AMOUNT", help="With keys add: the same for a month."),
    ] = None,
    provider: o.Provider = None,
    as_json: o.Json = False,
    debug: o.Debug = False,
) -> None:
    """Answer video clients of OpenAI and OpenRouter.

    Runs until Ctrl-C or SIGTERM. Jobs go on without it, and it finds them when it is started again.
    """
    with reporting(as_json=as_json, debug=debug) as output:
        from tiomagic.wiring.extras import load_server  # noqa: PLC0415  # Not for --help.

        server = load_server()
        tm = connect(output, provider=provider)  # A wrong setting is said before it listens.
        try:
            if action is ServeAction.KEYS:
                keys = server.ClientKeys(tm.settings.state_dir)
                limits = {
                    "jobs_per_minute": jobs_per_minute,
                    "daily_budget": daily_budget,
                    "monthly_budget": monthly_budget,
                    "page": ui,
                }
                from tiomagic.cli.serving.keys import manage_keys  # noqa: PLC0415  # Not for --help.

                manage_keys(output, keys, tm, what.value, name, limits)
                return
            if action is ServeAction.WEBHOOKS:
                from tiomagic.cli.serving.webhooks import manage_webhooks  # noqa: PLC0415

                manage_webhooks(output, server, tm, what.value, name, url)
                return
        finally:
            tm.close()
        options = server.ServeOptions(
            host=host,
            port=port,
            workers=workers,
            allowed_hosts=tuple(allowed_host or ()),
            allow_weights=allow_weights,
            allow_private_webhooks=allow_private_webhooks,
            provider=provider,
            ui=ui,
        )

        def started(address: str) -> None:
            output.data(address, address)
            output.say("Ctrl-C ends the server; jobs go on.")

        server.serve(options, started)
