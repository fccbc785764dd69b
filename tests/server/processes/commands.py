"""``tiomagic serve`` as a command with the cloud's provider: started, killed, started again."""

from __future__ import annotations

import json
import os
import random
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import httpx
from tests.server.processes.cloud import (
    FOLDER_VARIABLE,
    SECONDS_VARIABLE,
    CloudRuns,
    install,
)

ROOT = Path(__file__).parents[3]
START_TIMEOUT_S = 300
LOOK_EVERY_S = 0.05
FIXED_PORTS = range(20_000, 32_000)
"""Below those that Linux takes for connections."""


@dataclass
class ForkedProcess:
    """A process that another one has started, as ``subprocess.Popen`` has its own."""

    pid: int

    def poll(self) -> int | None:
        """Return None as long as it runs; its exit status is not known."""
        return None if is_alive(self.pid) else 0

    def kill(self) -> None:
        """End it."""
        send(self.pid, signal.SIGKILL)

    def terminate(self) -> None:
        """Ask it to end."""
        send(self.pid, signal.SIGTERM)

    def wait(self, timeout_s: float = 120) -> int:
        """Wait for its end."""
        wait_until(lambda: not is_alive(self.pid), "the end of a process", timeout_s)
        return 0


class Forks:
    """A process with all imports, which starts commands as its forks."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.server.processes.forking"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lock = threading.Lock()

    def start(
        self, words: list[str], folder: Path, environment: dict[str, str], said: Path, log: Path
    ) -> int:
        """Start ``tiomagic`` with some words, and return the process."""
        order = {
            "argv": ["tiomagic", *words],
            "folder": str(folder),
            "environment": environment,
            "stdout": str(said),
            "stderr": str(log),
        }
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps(order) + "\n")
            self._process.stdin.flush()
            return int(self._process.stdout.readline())

    def close(self) -> None:
        """End it; its forks go on."""
        self._process.communicate()


@dataclass
class ServeCommand:
    """The command in a folder; it may be started many times.

    Several in one folder, over one database, are several servers of the same jobs.
    """

    folder: Path
    database_url: str | None = None
    workers: int = 1
    seconds: float = 1.0
    """How long a run of the cloud takes."""
    more: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)
    address: str = ""
    process: subprocess.Popen[bytes] | ForkedProcess | None = None
    forks: Forks | None = None
    """Starts the command quickly; None for a Python of its own."""

    def __post_init__(self) -> None:
        """Install the provider."""
        self.folder.mkdir(parents=True, exist_ok=True)
        if not (self.folder / "site").exists():
            install(self.folder / "site")

    @property
    def runs(self) -> CloudRuns:
        """The runs of the cloud."""
        return CloudRuns(self.folder / "cloud", self.seconds)

    @property
    def log(self) -> str:
        """What the command has said on stderr, in all its lives."""
        return self._log.read_text()

    def start(self) -> None:
        """Start the command, and return when it can answer."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TIOMAGIC_")},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder / "site")]),
            "TIOMAGIC_PROVIDER": "cloud",
            FOLDER_VARIABLE: str(self.folder / "cloud"),
            SECONDS_VARIABLE: str(self.seconds),
            **({} if self.database_url is None else {"TIOMAGIC_DATABASE_URL": self.database_url}),
            **self.variables,
        }
        words = ["serve", "--port", str(self._port), "--workers", str(self.workers), *self.more]
        said = self.folder / f"address-{uuid.uuid4().hex}"
        if self.forks is not None:
            pid = self.forks.start(words, self.folder, environment, said, self._log)
            self.process = ForkedProcess(pid)
        else:
            with self._log.open("a") as log, said.open("w") as out:
                self.process = subprocess.Popen(
                    [sys.executable, "-m", "tiomagic", *words],
                    cwd=self.folder,
                    env=environment,
                    stdout=out,
                    stderr=log,
                )
        self._wait(lambda: said.exists() and said.read_text().endswith("\n"))
        self.address = said.read_text().strip()
        self._wait(self._is_ready)

    @property
    def _log(self) -> Path:
        return self.folder / "serve.log"

    def _is_ready(self) -> bool:
        try:
            return httpx.get(f"{self.address}/readyz", timeout=60).status_code == 200
        except httpx.TransportError:
            return False

    def _wait(self, condition: Callable[[], bool]) -> None:
        """Wait until something is so, as long as the command runs."""
        until = time.monotonic() + START_TIMEOUT_S
        while not condition():
            assert self.process is not None
            assert self.process.poll() is None, self.log
            assert time.monotonic() < until, self.log
            time.sleep(LOOK_EVERY_S)

    @property
    def _port(self) -> int:
        """The port of the last life: clients find the server again."""
        return int(self.address.rpartition(":")[2]) if self.address else find_port()

    def pids(self) -> list[int]:
        """Return the processes that answer: the command itself, or its children."""
        assert self.process is not None
        if self.workers == 1:
            return [self.process.pid]
        return [pid for pid in find_children(self.process.pid) if "spawn_main" in read_line(pid)]

    def kill(self) -> None:
        """End the command and all that it has started, as a power cut does."""
        assert self.process is not None
        # The parent first: it would replace a child.
        children = find_children(self.process.pid)
        self.process.kill()
        for pid in children:
            send(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self, timeout_s: float = 120) -> int:
        """Ask the command to end, and return its exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(timeout_s)


def find_port() -> int:
    """Return a free port that the system gives to no connection while a server is down."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", random.choice(FIXED_PORTS)))
            return int(probe.getsockname()[1])


def find_children(pid: int) -> list[int]:
    """Return the processes that a process has started and that are alive."""
    found = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        found += [int(one) for one in task.read_text().split()]
    return found


def read_line(pid: int) -> str:
    """Return the command line of a process; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def is_alive(pid: int) -> bool:
    """Return whether a process is there, and not only a zombie."""
    try:
        is_zombie = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
        # The first thread may be one while others end: until then they hold the port.
        return not is_zombie or len(list(Path(f"/proc/{pid}/task").iterdir())) > 1
    except OSError:
        return False


def send(pid: int, what: signal.Signals) -> None:
    """Send a signal to a process that may be gone."""
    try:
        os.kill(pid, what)
    except ProcessLookupError:
        return


def wait_until(condition: object, what: str, timeout_s: float = 120) -> None:
    """Wait until something is so.

    Args:
        condition: Called until it returns something true.
        what: Is waited for.
        timeout_s: Most seconds.
    """
    assert callable(condition)
    until = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < until, f"{what}: not within {timeout_s} s"
        time.sleep(LOOK_EVERY_S)
