"""Runs commands as processes of their own, without the time that Python takes to import them."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import NoReturn

import pytest
from tests.measured import FOR_CHILDREN

SERVER = Path(__file__).with_name("fork_server.py")
TIMEOUT_S = 280


class CommandServer:
    """A process that commands are forked from."""

    def __init__(self) -> None:
        self._requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._requests.settimeout(TIMEOUT_S)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, str(SERVER), str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                # As the streams of its commands: Python asks what they are when it starts.
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )

    def run(
        self, *words: str, folder: Path, environment: Mapping[str, str], given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, and until nothing that it has started holds its streams."""
        command = {"words": words, "folder": str(folder), "environment": dict(environment)}
        reading, writing = zip(os.pipe(), os.pipe(), os.pipe(), strict=True)
        said = [b"", b""]
        theirs = (reading[0], *writing[1:])
        socket.send_fds(self._requests, [json.dumps(command).encode()], theirs)
        for stream in theirs:
            os.close(stream)

        def read(number: int) -> None:
            with os.fdopen(reading[1 + number], "rb") as pipe:
                said[number] = pipe.read()

        readers = [threading.Thread(target=read, args=(number,)) for number in (0, 1)]
        for reader in readers:
            reader.start()
        with os.fdopen(writing[0], "wb") as pipe:
            pipe.write(given)
        status = int(self._requests.recv(16) or self._fail())
        for reader in readers:
            reader.join(TIMEOUT_S)
        return subprocess.CompletedProcess(words, status, *said)

    def close(self) -> None:
        """End it."""
        self._requests.close()
        self._process.communicate(timeout=TIMEOUT_S)

    def _fail(self) -> NoReturn:
        _, said = self._process.communicate(timeout=TIMEOUT_S)
        pytest.fail(f"the server of commands has ended: {said.decode()}")


class CommandServers:
    """The servers of a process of the tests: one whose commands are measured, and one for others.

    Whether a process is measured is settled when it starts.
    """

    def __init__(self) -> None:
        self._servers: dict[bool, CommandServer] = {}

    def run(
        self, *words: str, folder: Path, environment: Mapping[str, str], given: bytes = b""
    ) -> subprocess.CompletedProcess[bytes]:
        """Run a command; see :meth:`CommandServer.run`."""
        is_measured = FOR_CHILDREN in os.environ
        if is_measured not in self._servers:
            self._servers[is_measured] = CommandServer()
        return self._servers[is_measured].run(
            *words, folder=folder, environment=environment, given=given
        )

    def close(self) -> None:
        """End them."""
        for server in self._servers.values():
            server.close()


def as_text(done: subprocess.CompletedProcess[bytes]) -> subprocess.CompletedProcess[str]:
    """Return the same with what was said as text."""
    said = (done.stdout.decode(), done.stderr.decode())
    return subprocess.CompletedProcess(done.args, done.returncode, *said)
