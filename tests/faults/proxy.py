"""A way to a server on loopback that somebody cuts, or on which the answers are lost.

The file that it reads says how it is: ``cut`` refuses and drops all connections at once, ``mute``
lets requests through and no answers, and drops those connections afterwards; no file, all is well.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import socket
import struct
from pathlib import Path

POLL_S = 0.01
LINGER_RESET = struct.pack("ii", 1, 0)
"""Closes with a reset, as a server does whose machine went away."""


class Proxy:
    """Carries bytes between clients and a server.

    Args:
        listener: Where clients come.
        port: Where the server is, on loopback.
        order: The file that says how the way is.
    """

    def __init__(self, listener: socket.socket, port: int, order: Path) -> None:
        self._listener = listener
        self._port = port
        self._order = order
        self._others: dict[socket.socket, socket.socket] = {}
        self._servers: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        self._selector.register(listener, selectors.EVENT_READ)

    def serve(self) -> None:
        """Carry bytes until the process that started this one is gone."""
        parent, before = os.getppid(), ""
        while os.getppid() == parent:
            word = self._read_order()
            if word == "cut" or (before == "mute" and not word):
                self._drop(*self._others)
            before = word
            for key, _ in self._selector.select(POLL_S):
                if key.fileobj is self._listener:
                    self._accept(refuse=bool(word))
                elif key.fileobj in self._others:
                    assert isinstance(key.fileobj, socket.socket)
                    self._carry(key.fileobj, mute=word == "mute")

    def _read_order(self) -> str:
        try:
            return self._order.read_text()
        except FileNotFoundError:
            return ""

    def _accept(self, *, refuse: bool) -> None:
        client, _ = self._listener.accept()
        if refuse:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
            client.close()
            return
        server = socket.create_connection(("127.0.0.1", self._port))
        self._servers.add(server)
        for one, other in ((client, server), (server, client)):
            self._others[one] = other
            self._selector.register(one, selectors.EVENT_READ)

    def _carry(self, one: socket.socket, *, mute: bool) -> None:
        try:
            data = one.recv(1 << 16)
            if data and not (mute and one in self._servers):
                self._others[one].sendall(data)
        except OSError:
            data = b""
        if not data:
            self._drop(one)

    def _drop(self, *sockets: socket.socket) -> None:
        for one in sockets:
            for side in (one, self._others.get(one)):
                if side is not None and self._others.pop(side, None) is not None:
                    self._selector.unregister(side)
                    self._servers.discard(side)
                    with contextlib.suppress(OSError):
                        side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_RESET)
                    side.close()
