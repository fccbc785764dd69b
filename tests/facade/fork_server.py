"""Starts commands by forking a process that has imported the command line already.

Run as a script with the number of a socket. Each message is a command, with its stdin, stdout and
stderr; the answer is its exit status. A command is a process of its own as any other: only what
Python does until the modules are there is done once for all.
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import runpy
import socket
import sys
from typing import Any

from tiomagic_domain.catalogue import families

MAX_MESSAGE = 1 << 20


def serve(requests: socket.socket) -> None:
    """Run commands until the other end of the socket is closed."""
    while True:
        message, streams, _, _ = socket.recv_fds(requests, MAX_MESSAGE, 3)
        if not message:
            return
        child = os.fork()
        if child == 0:
            requests.close()
            become(json.loads(message), streams)
            return
        for stream in streams:
            os.close(stream)
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        requests.send(str(status).encode())


def become(command: dict[str, Any], streams: list[int]) -> None:
    """Be ``python -m tiomagic`` with the words, the environment and the folder of a command."""
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(command["environment"])
    encoding, _, errors = os.environ.get("PYTHONIOENCODING", "").partition(":")
    for stream in (sys.stdin, sys.stdout, sys.stderr) if encoding else ():
        # Python never fails to say what is wrong: stderr has its own way with other characters.
        stream.reconfigure(encoding=encoding, errors=errors if stream is not sys.stderr else None)
    os.chdir(command["folder"])
    sys.path[0] = command["folder"]
    sys.path[1:1] = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    sys.argv = ["tiomagic", *command["words"]]
    runpy.run_module("tiomagic", run_name="__main__", alter_sys=True)


LOADED = (
    *("pydantic.main", "pydantic.type_adapter", "pydantic.functional_validators", "zoneinfo"),
    *("sqlalchemy.dialects.sqlite", "tiomagic_storage.jobs.repository"),
    *("tiomagic.cli.main", "tiomagic.api.client", "tiomagic.api.calls.methods"),
    *("tiomagic.api.plan", "tiomagic.display.plans", "tiomagic.cli.warm.submit"),
    *("tiomagic.wiring.container", "tiomagic.wiring.session", "tiomagic.results.pictures"),
    *("tiomagic_local.plugin", "tiomagic_modal.plugin"),
)
"""What a command imports that does not read the environment as it is imported."""


if __name__ == "__main__":
    for name in LOADED:
        importlib.import_module(name)
    for family in pkgutil.iter_modules(families.__path__, f"{families.__name__}."):
        importlib.import_module(family.name)
    gc.freeze()
    serve(socket.socket(fileno=int(sys.argv[1])))
