"""``tiomagic serve``."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Any

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import Output, reporting
from tiomagic.cli._run import connect


class ServeAction(StrEnum):
    """What is done with the server."""

    RUN = "run"
    KEYS = "keys"


class KeysAction(StrEnum):
    """What is done with the keys of its clients."""

    LIST = "list"
    ADD = "add"
    REMOVE = "remove"


def serve(  # noqa: PLR0913 - one for each option
    action: Annotated[
        ServeAction,
        typer.Argument(help="run: answer until Ctrl-C. keys: list, add or remove a client's key."),
    ] = ServeAction.RUN,
    keys: Annotated[KeysAction, typer.Argument(help="With keys: what to do.")] = KeysAction.LIST,
    name: Annotated[
        str | None, typer.Argument(help="With keys add and keys remove: whose key.")
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
    jobs_per_minute: Annotated[
        int, typer.Option(help="With keys add: most jobs that the client may submit in a minute.")
    ] = 60,
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
        state_dir = tm.settings.state_dir
        tm.close()
        if action is ServeAction.KEYS:
            _manage_keys(output, server.ClientKeys(state_dir), keys, name, jobs_per_minute)
            return
        options = server.ServeOptions(
            host=host,
            port=port,
            workers=workers,
            allowed_hosts=tuple(allowed_host or ()),
            allow_weights=allow_weights,
            provider=provider,
        )

        def started(address: str) -> None:
            output.data(address, address)
            output.say("Ctrl-C ends the server; jobs go on.")

        server.serve(options, started)


def _manage_keys(
    output: Output, keys: Any, action: KeysAction, name: str | None, jobs_per_minute: int
) -> None:
    """List, add or remove the keys of clients."""
    if action is KeysAction.LIST:
        rows = [(one.name, one.created, one.jobs_per_minute) for one in keys.list()]
        plain = [
            {"name": name, "created": created, "jobs_per_minute": rate}
            for name, created, rate in rows
        ]
        output.table(plain, ["name", "created", "jobs a minute"], rows)
        return
    if name is None:
        raise typer.BadParameter("say whose key", param_hint="NAME")
    if action is KeysAction.ADD:
        key = keys.add(name, jobs_per_minute)
        output.data({"name": name, "key": key}, key)
        output.say("Keep it: it is stored nowhere, and cannot be shown again.")
        return
    keys.remove(name)
    output.data({"removed": name}, f"the key of {name} is removed; its jobs stay")
