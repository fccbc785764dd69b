"""``tiomagic serve`` as a command with the cloud's provider: started, killed, started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
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
SERVE = (sys.executable, "-m", "tiomagic", "serve")
START_TIMEOUT_S = 300
LOOK_EVERY_S = 0.05


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
    process: subprocess.Popen[str] | None = None

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
        return (self.folder / "serve.log").read_text()

    def start(self, port: int = 0) -> None:
        """Start the command, and return when each of its processes can answer."""
        environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith("TIOMAGIC_")},
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(self.folder / "site")]),
            "TIOMAGIC_PROVIDER": "cloud",
            FOLDER_VARIABLE: str(self.folder / "cloud"),
            SECONDS_VARIABLE: str(self.seconds),
            **({} if self.database_url is None else {"TIOMAGIC_DATABASE_URL": self.database_url}),
            **self.variables,
        }
        port_words = ["--port", str(port or self._port)]
        with (self.folder / "serve.log").open("a") as log:
            self.process = subprocess.Popen(
                [*SERVE, *port_words, "--workers", str(self.workers), *self.more],
                cwd=self.folder,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().strip()
        assert self.address, self.log
        self.process.stdout.close()
        self._wait_until_up()

    @property
    def _port(self) -> int:
        """The port of the last life: clients find the server again."""
        return int(self.address.rpartition(":")[2]) if self.address else 0

    def _wait_until_up(self) -> None:
        until = time.monotonic() + START_TIMEOUT_S
        while True:
            try:
                if httpx.get(f"{self.address}/readyz", timeout=60).status_code == 200:
                    return
            except httpx.TransportError:
                assert time.monotonic() < until, self.log
                assert self.process is not None
                assert self.process.poll() is None, self.log
                time.sleep(LOOK_EVERY_S)

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
    """Return whether a process is there, and no zombie."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
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
