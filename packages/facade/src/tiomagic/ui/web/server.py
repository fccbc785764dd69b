"""The page's socket and server thread: free ports, start, shutdown.

The start makes no request to the page itself: Gradio's own start does, which fails where the
environment names a proxy.
"""

from __future__ import annotations

import errno
import logging
import os
import socket
import threading
from typing import TYPE_CHECKING, Final

import uvicorn

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp

DEFAULT_PORT: Final = 7860
"""The first port that is tried."""
MAX_PORTS_TRIED: Final = 100
"""How many ports are tried from there when none was chosen."""
MAX_CONNECTIONS: Final = 500
"""Connections at once; a tab of a browser holds about three."""
START_TIMEOUT_S: Final = 60.0
"""Timeout of the start, in seconds."""
STOP_TIMEOUT_S: Final = 10.0
"""Timeout of the shutdown, in seconds."""


def listen(host: str, port: int | None, *, who: str = "the page") -> socket.socket:
    """Return a socket that listens.

    Args:
        host: An address, or a name of one.
        port: None for the first that is free from :data:`DEFAULT_PORT` on; 0 for any.
        who: Listens, for the error.

    Raises:
        ConfigurationError: when there is no such address, or the port is taken.
    """
    wanted = range(DEFAULT_PORT, DEFAULT_PORT + MAX_PORTS_TRIED) if port is None else [port]
    last: OSError | None = None
    for number in wanted:
        try:
            return _listen(host, number)
        except OSError as error:
            last = error
    where = (
        f"{host}:{port}"
        if port is not None
        else f"{host}, ports {DEFAULT_PORT} to {DEFAULT_PORT + MAX_PORTS_TRIED - 1}"
    )
    taken = last is not None and last.errno == errno.EADDRINUSE
    advice = "; give another port, or 0 for any that is free" if taken and port else ""
    raise ConfigurationError(
        f"{who} cannot listen on {where}: {last}{advice}", code=ErrorCode.NO_PORT
    ) from last


def _listen(host: str, port: int) -> socket.socket:
    if not 0 <= port <= 65_535:  # The system would use the port modulo 65,536.
        raise OSError("a port is a number from 0 to 65535")
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = found[0]
    opened = socket.socket(family, kind, protocol)
    try:
        if os.name == "posix":  # On Windows the option would let two programs share a port.
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        opened.bind(address)
        opened.listen(128)
    except BaseException:
        opened.close()
        raise
    return opened


class Server:
    """Serves an application in a thread of its own.

    Args:
        application: The ASGI application.
        opened: A listening socket.
    """

    def __init__(self, application: ASGIApp, opened: socket.socket) -> None:
        self._socket = opened
        # The server logs to our logger, and must not configure logging itself.
        logging.getLogger("uvicorn").addHandler(logging.NullHandler())
        config = uvicorn.Config(
            application,
            log_config=None,
            access_log=False,
            lifespan="on",
            # The client is the connected peer: headers must not override its address.
            proxy_headers=False,
            server_header=False,
            limit_concurrency=MAX_CONNECTIONS,
            timeout_graceful_shutdown=1,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="tiomagic-page", daemon=True)
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        """Where it listens."""
        number: int = self._socket.getsockname()[1]
        return number

    def start(self) -> None:
        """Start serving, and return when the page answers.

        Raises:
            ConfigurationError: when it does not start.
        """
        self._thread.start()
        waited = 0.0
        # uvicorn has no event for its start, so it is polled.
        while not self._server.started and waited < START_TIMEOUT_S and not self._ended.wait(0.02):
            waited += 0.02
        if not self._server.started:
            self.close()
            raise ConfigurationError("the page does not come up", code=ErrorCode.NO_PAGE)

    def close(self) -> None:
        """Stop it; open requests have a second to finish."""
        self._server.should_exit = True
        self._thread.join(STOP_TIMEOUT_S)
        self._socket.close()

    def _run(self) -> None:
        try:
            self._server.run(sockets=[self._socket])
        finally:
            self._ended.set()
