"""Run the server by itself: `python -m tests.modal.servicer --port 0 --state-dir DIR`.

It prints the client environment as one line of JSON, answers `GET /state` and `POST /do` on the
control port, and ends on SIGTERM.
"""

import argparse
import functools
import json
import signal
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from .fake import FakeModal
from .state import Call


def describe(call: Call) -> dict[str, Any]:
    """Return what a test wants to know of a call."""
    names = ("status", "outcome", "runs", "gpu", "timeout_s", "scaledown_window_s", "task_id")
    return {name: getattr(call, name) for name in names}


def snapshot(fake: FakeModal) -> dict[str, Any]:
    # Copies: the server goes on meanwhile.
    return {
        "calls": {call_id: describe(call) for call_id, call in list(fake.calls.items())},
        "tags": fake.tags,
        "rpc_counts": fake.rpc_counts.copy(),
        "container_rpc_counts": fake.container_rpc_counts.copy(),
        "http_counts": fake.http_counts.copy(),
        "containers_started": fake.containers_started,
        "containers": [container.task_id for container in fake.containers],
    }


def perform(fake: FakeModal, order: dict[str, Any]) -> Any:
    method = functools.reduce(getattr, order["method"].split("."), fake)
    result = method(*order["args"], **order["kwargs"])
    return result if isinstance(result, str | int | float | bool | None) else None


def control(fake: FakeModal, port: int) -> ThreadingHTTPServer:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._reply(snapshot(fake))

        def do_POST(self) -> None:
            length = int(self.headers["Content-Length"])
            self._reply(perform(fake, json.loads(self.rfile.read(length))))

        def _reply(self, value: Any) -> None:
            body = json.dumps(value).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Say nothing."""

    return ThreadingHTTPServer(("127.0.0.1", port), Handler)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--control-port", type=int, default=0)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--settings", type=json.loads, default={})
    given = parser.parse_args()
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    given.state_dir.mkdir(parents=True, exist_ok=True)
    with FakeModal(port=given.port, state_dir=given.state_dir, **given.settings) as fake:
        server = control(fake, given.control_port)
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        print(json.dumps(fake.environment), flush=True)
        ended.wait()
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    main()
