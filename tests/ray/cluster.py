"""A real Ray cluster on loopback, started and ended by the tests, by its own process ids.

Never ``ray stop``: that ends every Ray of the machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from tests.ray.networks import NetworkSpace

PATIENCE_S = 240.0
"""Ray's head takes 13 to 30 s on an idle machine, and minutes on a busy one."""

HEAD_STARTS = 3
STARTED = "Ray runtime started"
NODE_VARIABLE = "TIOMAGIC_TEST_NODE"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


class RayCluster:
    """One head, and more nodes on demand, with small shares of this machine.

    Args:
        cpus: Of the head's node, for workers.
        gpus: Of each node; what they are called, they are not.
        host: The head's address.
        environment: Of all nodes.

    Attributes:
        folder: Short, for Ray puts Unix sockets into it.
        state: The coordinator's folder, which outlives heads.
        token: The cluster's.
    """

    def __init__(
        self,
        *,
        cpus: int = 2,
        gpus: int = 0,
        kind: str | None = None,
        host: str = "127.0.0.1",
        environment: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        self.host, self.environment = host, dict(environment)
        self.folder = Path(tempfile.mkdtemp(prefix="tmray"))
        self.state = self.folder / "state"
        self.token = secrets.token_hex(24)
        self.port, self.client_port = free_port(), free_port()
        self.cpus, self.gpus, self.kind = cpus, gpus, kind
        self.started: list[subprocess.Popen[bytes]] = []

    def __getstate__(self) -> dict[str, object]:
        """For another process of the tests, which did not start it but can use and end it."""
        return {**self.__dict__, "started": []}

    @property
    def address(self) -> str:
        """For drivers on this machine."""
        return f"{self.host}:{self.port}"

    @property
    def client_address(self) -> str:
        """For drivers elsewhere."""
        return f"ray://{self.host}:{self.client_port}"

    def start_head(self, *more: str) -> subprocess.Popen[bytes]:
        """Start a head, and wait until it has said that it runs."""
        for _ in range(HEAD_STARTS - 1):
            with contextlib.suppress(RuntimeError):
                return self._start_head(*more)
            self.kill_all()
        return self._start_head(*more)

    def _start_head(self, *more: str) -> subprocess.Popen[bytes]:
        self.head = len(self.started)
        ports = ["--port", str(self.port), "--ray-client-server-port", str(self.client_port)]
        head = self._start(["--head", *ports, "--include-dashboard=false", *more], self.cpus)
        log = self.folder / f"node-{len(self.started) - 1}.log"
        self._wait(
            lambda: STARTED in log.read_text("utf-8") and _listens(self.host, self.client_port),
            head,
        )
        self._take_usual_turns()
        return head

    def _take_usual_turns(self) -> None:
        """Have what has started go no further before others."""
        if os.geteuid() == 0:
            for process in self.processes():
                with contextlib.suppress(psutil.Error):
                    process.nice(0)
                _set_session_niceness(process.pid, 0)

    def start_node(
        self, *more: str, cpus: int = 1, place: NetworkSpace | None = None
    ) -> subprocess.Popen[bytes]:
        """Start one more node, in a network of its own if there is one; see `wait_for_node`."""
        return self._start(["--address", self.address, *more], cpus, place)

    def wait_for_node(self, number: int) -> None:
        """Wait until a node has joined, by its number in the order of starts."""
        log = self.folder / f"node-{number}.log"
        self._wait(lambda: STARTED in log.read_text("utf-8"), self.started[number])
        self._take_usual_turns()

    def _start(
        self, arguments: list[str], cpus: int, place: NetworkSpace | None = None
    ) -> subprocess.Popen[bytes]:
        # A raylet gives its agents 15 s to start and ends if they take longer, as they do on a busy
        # machine. So they go first where this user may say so, until they are there: by niceness,
        # and by that of the session, which alone counts where each session has its own turns.
        command = ["nice", "-n", "-19"] if os.geteuid() == 0 else []
        command = [*place.enter, *command] if place else command
        command += [sys.executable, "-m", "ray.scripts.scripts", "start", "--block", *arguments]
        command += ["--num-cpus", str(cpus), "--num-gpus", str(self.gpus)]
        if self.kind is not None:
            resources = json.dumps({f"accelerator_type:{self.kind}": 1})
            command += ["--resources", resources]
        command += ["--object-store-memory", str(200 * 10**6), "--memory", str(4 * 10**9)]
        command += [
            "--node-ip-address",
            place.host if place else self.host,
            "--disable-usage-stats",
        ]
        command += ["--min-worker-port", "0", "--max-worker-port", "0"]
        for agent in ("metrics-export", "dashboard-agent-listen", "dashboard-agent-grpc"):
            command += [f"--{agent}-port", str(free_port())]
        command += ["--runtime-env-agent-port", str(free_port())]
        if "--head" in arguments:
            command += ["--temp-dir", str(self.folder)]
        environment = {
            **os.environ,
            "RAY_AUTH_MODE": "token",
            "RAY_AUTH_TOKEN": self.token,
            "RAY_USAGE_STATS_ENABLED": "0",
            "RAY_enable_metrics_collection": "0",
            "RAY_agent_register_timeout_ms": "300000",
            "RAY_raylet_start_wait_time_s": "60",
            "RAY_worker_niceness": "0",
            "RAY_worker_register_timeout_seconds": "300",
            "TIOMAGIC_RAY_FOLDER": str(self.state),
            NODE_VARIABLE: str(len(self.started)),
            "OMP_NUM_THREADS": "1",
            **self.environment,
        }
        environment.pop("PYTHONDONTWRITEBYTECODE", None)
        log = (self.folder / f"node-{len(self.started)}.log").open("wb")
        process = subprocess.Popen(
            command,
            env=environment,
            cwd=self.folder,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        log.close()
        _set_session_niceness(process.pid, -12)
        self.started.append(process)
        return process

    def _wait(self, is_there, process) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not is_there():
            if process.poll() is not None or time.monotonic() > deadline:
                logs = "".join(p.read_text("utf-8") for p in sorted(self.folder.glob("node-*.log")))
                raise RuntimeError(f"the head did not come: {logs[-3000:]}")
            time.sleep(0.1)

    def processes(self) -> Iterator[psutil.Process]:
        """Give every process of the cluster: children of what was started, and their orphans."""
        mark = str(self.folder)
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if process.pid != os.getpid() and (
                    process.environ().get("TIOMAGIC_RAY_FOLDER") == str(self.state)
                    or mark in " ".join(process.cmdline())
                ):
                    yield process

    def processes_of(self, node: int) -> list[psutil.Process]:
        """Return the processes of one node, by its number in the order of starts."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if process.environ().get(NODE_VARIABLE) == str(node):
                    found.append(process)
        return found

    def find(self, word: str) -> list[psutil.Process]:
        """Return the processes with a word in their command line, such as ``Worker``."""
        found = []
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                if word in " ".join(process.cmdline()):
                    found.append(process)
        return found

    def kill_all(self) -> None:
        """End every process of the cluster at once, as a power cut does."""
        gone = list(self.processes())
        for process in gone:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(gone, timeout=30)
        for started in self.started:
            with contextlib.suppress(subprocess.TimeoutExpired):
                started.wait(30)

    def close(self) -> None:
        """End the cluster and remove its folder."""
        self.kill_all()
        shutil.rmtree(self.folder, ignore_errors=True)


def _set_session_niceness(pid: int, niceness: int) -> None:
    # Linux has the file where sessions take turns; other users than root may not lower it.
    with contextlib.suppress(OSError):
        Path(f"/proc/{pid}/autogroup").write_text(str(niceness), "utf-8")


def _listens(host: str, port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
        return True
    return False
