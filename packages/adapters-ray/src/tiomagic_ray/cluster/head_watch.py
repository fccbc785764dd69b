"""Notices at once that Ray's head has ended; Ray tells its driver a minute later, or never.

A driver of a head that has ended takes one that is started at the same address for its own: it is
refused there for ever (``WrongClusterID``), or asks for actors that never were there.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable
from typing import Final

REACH_S: Final = 10.0
"""How long a connection may take: a head that cannot be reached may still be there."""
PAUSE_S: Final = 1.0
SILENT: Final = 3
"""So many connections in a row that end without a word: a tunnel listens, and nobody behind it. A
server of Ray speaks first."""
OTHER_HEAD: Final = "WrongClusterID"
"""In the text by which a head refuses the driver of another one."""


def watch_head(endpoint: tuple[str, int], on_end: Callable[[], None]) -> None:
    """Call a function when the head has ended, from a thread.

    Args:
        endpoint: Host and port of a server of the head's.
        on_end: Called once.
    """

    def watch() -> None:
        silent = 0
        while silent < SILENT:
            try:
                has_spoken = _wait_for_end(endpoint)
            except ConnectionRefusedError:
                break
            except OSError:
                has_spoken = True  # The network, perhaps: Ray finds out what that means.
                time.sleep(PAUSE_S)
            silent = 0 if has_spoken else silent + 1
            if not has_spoken:
                time.sleep(PAUSE_S)
        on_end()

    threading.Thread(target=watch, name="tiomagic-head", daemon=True).start()


def _wait_for_end(endpoint: tuple[str, int]) -> bool:
    """Wait until a connection ends; return whether the other side had said anything.

    Raises:
        OSError: when there is no connection.
    """
    with socket.create_connection(endpoint, REACH_S) as line:
        line.settimeout(None)
        # One that is cut off without a word is noticed by the system, after some hours.
        line.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        has_spoken = False
        try:
            while line.recv(4096):
                has_spoken = True
        except OSError:
            pass  # Reset: it ended with its process.
        return has_spoken
