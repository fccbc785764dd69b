"""The server in a process of its own, for tests that kill it or that measure their own process."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any, Self

import modal

from .environs import kill_leftover_containers
from .serving import client_of, free_port


class FakeModalProcess:
    """Starts, stops, kills and drives a server that runs elsewhere; its state is in a directory."""

    def __init__(self, state_dir: Path, **settings: Any) -> None:
        """Prepare; `settings` are the fields of `Settings` that JSON can hold."""
        self._state_dir = state_dir
        self._settings = settings
        self._port, self._control_port = free_port(), free_port()
        self._process: subprocess.Popen[bytes] | None = None
        self.environment: dict[str, str] = {}
        """For client processes; the same after a restart."""

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.stop()

    def start(self) -> None:
        """Start it, with what the directory holds, and wait until it serves."""
        paths = os.pathsep.join(str(Path(p).resolve()) for p in sys.path if p)
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-m", __package__),
                *("--port", str(self._port), "--control-port", str(self._control_port)),
                *("--state-dir", str(self._state_dir), "--settings", json.dumps(self._settings)),
            ],
            env={**os.environ, "PYTHONPATH": paths},
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        with self._process.stdout as said:
            self.environment = json.loads(said.readline())

    def stop(self) -> None:
        """Ask it to end; it ends its containers."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill it as a power cut does, with the containers that it leaves."""
        self._end(signal.SIGKILL)
        kill_leftover_containers(self._state_dir)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(30)
            self._process = None

    def client(self) -> modal.Client:
        return client_of(self.environment["MODAL_SERVER_URL"])

    def state(self) -> dict[str, Any]:
        """Return `calls`, `tags`, `rpc_counts`, `containers_started` and more, as plain values."""
        return self._ask("state")

    def do(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Call a method of the `FakeModal` there, such as `preempt` or `faults.fail`."""
        return self._ask("do", {"method": method, "args": args, "kwargs": kwargs})

    def _ask(self, path: str, body: dict[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self._control_port}/{path}",
            data=None if body is None else json.dumps(body).encode(),
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())
