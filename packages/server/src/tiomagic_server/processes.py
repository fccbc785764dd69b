"""The processes of a server: they share a socket, and end with the one that has started them."""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
from typing import Final

import uvicorn
from uvicorn.supervisors import Multiprocess

UNANSWERED_S: Final = 60
"""Seconds without a sign of life after which a process is replaced. One that decodes a large
picture on a busy machine is silent for a while, and has requests that would end with it."""


def run_processes(config: uvicorn.Config, opened: socket.socket) -> None:
    """Run as many processes as a configuration says until SIGINT or SIGTERM.

    One that dies is replaced; one that cannot start ends them all.

    Args:
        config: With the name of a factory of the application, which calls ``end_with_parent``.
        opened: Where all of them listen.
    """
    config.timeout_worker_healthcheck = UNANSWERED_S
    Multiprocess(config, sockets=[opened]).run()


def end_with_parent() -> None:
    """Have this process stop in order when its parent is gone.

    A parent that is killed cannot stop its children. They would hold the port, and answer with the
    old settings beside the next server.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, name="tiomagic-parent", daemon=True).start()
