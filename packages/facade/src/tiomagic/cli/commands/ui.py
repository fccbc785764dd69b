"""``tiomagic ui``."""

from __future__ import annotations

import signal
from contextlib import suppress
from threading import Event
from typing import Annotated

import typer

from tiomagic.cli import _options as o
from tiomagic.cli._output import reporting
from tiomagic.cli._run import connect


def ui(
    *,
    host: Annotated[
        str,
        typer.Option(help="Address to listen on. Any but a loopback one asks for a login."),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(help="Port to listen on; the first that is free from 7860 on, 0 for any."),
    ] = None,
    auth: Annotated[
        str | None,
        typer.Option(
            metavar="USER:PASSWORD",
            help="Ask for this login. Others on this machine can read a command line: "
            "TIOMAGIC_UI_AUTH is better.",
        ),
    ] = None,
    allowed_host: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="A further name that the page answers to, such as the one of a proxy before it; "
            "several times for several. Also TIOMAGIC_UI_ALLOWED_HOSTS.",
        ),
    ] = None,
    browser: Annotated[bool, typer.Option(help="Open the page in a browser.")] = True,
    debug: o.Debug = False,
) -> None:
    """Open the web page: make, find and compare videos.

    Runs until Ctrl-C or SIGTERM. Jobs go on without it, and the page finds them when it is started
    again.
    """
    with reporting(as_json=False, debug=debug) as output:
        # Loading the page takes seconds, so say that it starts.
        output.say("The page is starting…")
        from tiomagic.ui.serve import ListenOptions, serve  # noqa: PLC0415  # Not for --help.

        tm = connect(output)
        session = tm.session
        if allowed_host:
            session.configure({"ui_allowed_hosts": allowed_host})
        door = ListenOptions(
            host=host,
            port=port,
            auth=auth or session.settings.ui_auth,
            allowed_hosts=session.settings.ui_allowed_hosts,
        )
        page, address = serve(session, door, open_browser=browser)
        output.data(address, address)
        output.say("Ctrl-C ends the page; jobs go on.")
        try:
            _wait_for_stop_signal()
        finally:
            page.close()
            tm.close()


def _wait_for_stop_signal() -> None:
    """Wait for Ctrl-C, or for SIGTERM, which is how a service manager says the same."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with suppress(KeyboardInterrupt):
            Event().wait()
    finally:
        signal.signal(signal.SIGTERM, before)
