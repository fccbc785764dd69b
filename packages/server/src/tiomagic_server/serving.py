"""Listens and runs the application, in one process or several."""

from __future__ import annotations

import logging
import os
import signal
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Final

import uvicorn

from tiomagic.ui.web.origins import is_loopback
from tiomagic.ui.web.server import listen
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_server.access.connections import BoundedProtocol
from tiomagic_server.access.keys import ClientKeys
from tiomagic_server.application import OPTIONS_VARIABLE, connect, create_app
from tiomagic_server.options import ServeOptions
from tiomagic_server.page import open_page
from tiomagic_server.processes import run_processes
from tiomagic_server.webhooks.receivers import WebhookReceivers
from tiomagic_server.webhooks.registering import find_deliveries

if TYPE_CHECKING:
    from tiomagic.ui.serve import MountedPage

__all__ = ["ClientKeys", "ServeOptions", "WebhookReceivers", "find_deliveries", "serve"]

STOP_TIMEOUT_S: Final = 10
"""Seconds that open requests have to end when the server is stopped."""
MAX_HEAD_BYTES: Final = 32 * 2**10
"""Most bytes of a request's headers."""


def serve(options: ServeOptions, started: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Jobs go on without the server.

    Args:
        options: How.
        started: Called with the address once it listens.

    Raises:
        ConfigurationError: when other machines could reach it without a key, no key opens its
            page, the port is taken, or several processes were to have a page.
        MissingDependencyError: when the page is wanted and its extra is not installed.
    """
    if options.ui and options.workers > 1:
        raise ConfigurationError(
            "the page keeps its forms in one process: take --workers 1 with --ui, or start "
            "tiomagic ui beside the server",
            code=ErrorCode.CONFIGURATION,
        )
    require_keys(options)
    opened = listen(options.host, options.port, who="the server")
    # uvicorn stops in order at either signal, and then raises it again.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        say = partial(started, _address(options.host, opened))
        with suppress(KeyboardInterrupt):
            if options.workers > 1:
                say()
                _run_processes(options, opened)
            else:
                _run_here(replace(options, port=opened.getsockname()[1]), opened, say)
    finally:
        signal.signal(signal.SIGTERM, before)
        opened.close()


def require_keys(options: ServeOptions) -> None:
    """Raise if other machines could reach a server without a key, or no key opens its page."""
    is_local = is_loopback(options.host)
    if is_local and not options.ui:
        return
    tm = connect(options)
    try:
        keys = ClientKeys(tm.session.settings.state_dir).list()
    finally:
        tm.close()
    if options.ui and (keys or not is_local) and not any(one.page for one in keys):
        raise ConfigurationError(
            "there is no key for the page: make one with tiomagic serve keys add NAME --ui, or "
            "serve without --ui",
            code=ErrorCode.NO_LOGIN,
        )
    if not is_local and not keys:
        raise ConfigurationError(
            f"{options.host} can be reached by other machines, and there is no key: make one with "
            "tiomagic serve keys add NAME, or stay on 127.0.0.1",
            code=ErrorCode.NO_LOGIN,
        )


def configure(application: Any, **more: Any) -> uvicorn.Config:
    """Return how uvicorn runs an application here."""
    # The server logs to our logger, and must not configure logging itself.
    logging.getLogger("uvicorn").addHandler(logging.NullHandler())
    return uvicorn.Config(
        application,
        log_config=None,
        access_log=False,
        lifespan="on",
        # The client is the connected peer: headers must not override its address.
        proxy_headers=False,
        server_header=False,
        http=BoundedProtocol,
        ws="none",
        h11_max_incomplete_event_size=MAX_HEAD_BYTES,
        timeout_graceful_shutdown=STOP_TIMEOUT_S,
        **more,
    )


def _run_here(options: ServeOptions, opened: socket.socket, say: Callable[[], None]) -> None:
    tm = connect(options)
    try:
        page = open_page(tm, options) if options.ui else None
        server = _EndingServer(configure(create_app(tm, options, page)), page)
        say()
        server.run(sockets=[opened])
    finally:
        tm.close()


class _EndingServer(uvicorn.Server):
    """Ends the streams of a page before it waits for the end of all requests."""

    def __init__(self, config: uvicorn.Config, page: MountedPage | None) -> None:
        super().__init__(config)
        self._page = page

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Stop."""
        if self._page is not None:
            self._page.end()
        await super().shutdown(sockets)


def _run_processes(options: ServeOptions, opened: socket.socket) -> None:
    os.environ[OPTIONS_VARIABLE] = options.to_json()
    config = configure(
        "tiomagic_server.application:create_from_environment",
        factory=True,
        workers=options.workers,
    )
    run_processes(config, opened)


def _address(host: str, opened: socket.socket) -> str:
    name = "localhost" if host in {"0.0.0.0", "::", ""} else host  # noqa: S104 - looked for, not used
    port = opened.getsockname()[1]
    return f"http://[{name}]:{port}" if ":" in name else f"http://{name}:{port}"
