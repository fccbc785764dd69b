"""fal on loopback, as its real client speaks to it: queue, results, uploads, files.

The shapes are those that ``fal_client`` 1.0.3 reads. A test plans faults, each for the next request
of its kind.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections import Counter, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import pytest


@dataclass
class Run:
    """A run that fal has accepted, and bills."""

    endpoint: str
    arguments: dict[str, Any]
    polls_left: int
    """Status requests until it is over; the simulator has no clock."""
    canceled: bool = False


@dataclass
class FalSimulator:
    """A fal of its own: what it accepted, and what goes wrong next."""

    video: bytes
    runs: dict[str, Run] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    """Requests by kind."""
    creates: deque[str] = field(default_factory=deque)
    """Faults of the next submissions: see `_create`."""
    looks: deque[str] = field(default_factory=deque)
    ends: deque[str] = field(default_factory=deque)
    files: deque[str] = field(default_factory=deque)
    is_away: bool = False
    key: str = "key-of-the-test"
    stops_running: bool = True
    """False for a fal that takes the request to cancel and finishes the run all the same."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("FalHandler", (Handler,), {"fal": self})
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the client of this process speak to it: its addresses are constants."""
        from fal_client import client

        monkeypatch.setattr(client, "QUEUE_URL_FORMAT", f"{self.address}/queue/")
        monkeypatch.setattr(client, "REST_URL", f"{self.address}/rest")
        monkeypatch.setattr(client, "CDN_URL", f"{self.address}/cdn")

    def next_fault(self, faults: deque[str]) -> str | None:
        with self.lock:
            return faults.popleft() if faults else None


class Handler(BaseHTTPRequestHandler):
    """Answers as fal."""

    protocol_version = "HTTP/1.1"
    fal: FalSimulator

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self._route()

    def do_GET(self) -> None:
        self._route()

    def do_PUT(self) -> None:
        self._route()

    def _route(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        if self.fal.is_away:
            self._hang_up()
            return
        path, _, _query = self.path.partition("?")
        area, _, rest = path.lstrip("/").partition("/")
        if area == "queue" and self.headers["authorization"] != f"Key {self.fal.key}":
            self._say(401, {"detail": "Invalid key"})
        elif area == "queue" and self.command == "POST":
            self._create(rest, json.loads(body))
        elif area == "queue":
            self._ask(rest)
        elif area == "rest":
            token = {"token": "t", "token_type": "Bearer", "base_url": f"{self.fal.address}/cdn"}
            self._say(200, {**token, "expires_at": "2099-01-01T00:00:00+00:00"})
        elif self.command == "POST":
            name = f"{uuid.uuid4().hex}-{self.headers['x-fal-file-name']}"
            self.fal.uploads[name] = body
            self._say(200, {"access_url": f"{self.fal.address}/files/{name}"})
        else:
            self._send_file()

    def _create(self, endpoint: str, arguments: dict[str, Any]) -> None:
        self.fal.seen["create"] += 1
        fault = self.fal.next_fault(self.fal.creates)
        match fault:
            case "slow down":
                self._say(429, {"detail": "Too many requests"}, {"retry-after": "7"})
                return
            case "no credit":
                self._say(403, {"detail": "User is locked. Reason: Exhausted balance."})
                return
            case "moderation":
                problem = {"loc": ["body", "prompt"], "type": "content_policy_violation"}
                self._say(422, {"detail": [{**problem, "msg": "the prompt is not allowed"}]})
                return
        run_id = str(uuid.uuid4())
        long = arguments.get("prompt") == "a long run"
        with self.fal.lock:
            self.fal.runs[run_id] = Run(endpoint, arguments, 10**9 if long else 3)
        match fault:
            case "hang up after accepting":
                self._hang_up()
                return
            case "500 after accepting":
                self._say(500, {"detail": "Internal Server Error"})
                return
            case "half an answer":
                self._say(200, {"status": "IN_QUEUE"})
                return
        owner, alias = endpoint.split("/")[:2]
        base = f"{self.fal.address}/queue/{owner}/{alias}/requests/{run_id}"
        urls = {"status_url": f"{base}/status", "cancel_url": f"{base}/cancel"}
        self._say(200, {"request_id": run_id, "response_url": base, **urls})

    def _ask(self, rest: str) -> None:
        *_, run_id, last = rest.split("/")
        if last in {"status", "cancel"}:
            run = self.fal.runs.get(run_id)
        else:
            run_id, last = last, "result"
            run = self.fal.runs.get(run_id)
        self.fal.seen[last] += 1
        if run is None:
            self._say(404, {"detail": "Request not found"})
        elif last == "status":
            self._say_status(run)
        elif last == "cancel":
            if run.polls_left <= 0:
                self._say(400, {"status": "ALREADY_COMPLETED"})
                return
            if self.fal.stops_running:
                run.canceled, run.polls_left = True, 0
            self._say(202, {"status": "CANCELLATION_REQUESTED"})
        else:
            self._say_result(run)

    def _say_status(self, run: Run) -> None:
        match self.fal.next_fault(self.fal.looks):
            case "hang up":
                self._hang_up()
                return
            case "500":
                self._say(500, {"detail": "Internal Server Error"})
                return
            case "slow down":
                self._say(429, {"detail": "Too many requests"}, {"retry-after": "3"})
                return
            case "unknown":
                self._say(200, {"status": "ARCHIVED", "logs": None})
                return
            case "gone":
                self._say(404, {"detail": "Request not found"})
                return
        run.polls_left -= 1
        logs = [{"message": "loading", "timestamp": "2026-11-30T00:00:00Z"}]
        if run.polls_left > 2:
            self._say(200, {"status": "IN_QUEUE", "queue_position": 4, "logs": None})
        elif run.polls_left > 0:
            self._say(200, {"status": "IN_PROGRESS", "logs": logs})
        elif run.canceled:
            said = {"error": "Request was cancelled", "error_type": "client_cancelled"}
            self._say(200, {"status": "COMPLETED", "logs": logs, **said})
        else:
            metrics = {"inference_time": 12.5}
            self._say(200, {"status": "COMPLETED", "logs": logs, "metrics": metrics})

    def _say_result(self, run: Run) -> None:
        match self.fal.next_fault(self.fal.ends):
            case "moderation":
                problem = {"loc": ["body"], "type": "content_policy_violation"}
                self._say(422, {"detail": [{**problem, "msg": "the video is not allowed"}]})
                return
            case "500":
                self._say(500, {"detail": "Internal Server Error"})
                return
            case "no video":
                self._say(200, {"images": []})
                return
        url = f"{self.fal.address}/files/{run.endpoint.replace('/', '-')}.mp4"
        self._say(200, {"video": {"url": url, "content_type": "video/mp4"}})

    def _send_file(self) -> None:
        self.fal.seen["file"] += 1
        fault, data = self.fal.next_fault(self.fal.files), self.fal.video
        if fault == "expired":
            self._say(404, {"detail": "expired"})
            return
        if fault == "a page":
            data = b"<html>Log in</html>"
        self.send_response(200)
        self.send_header("content-type", "video/mp4")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if fault == "cut off":
            self.wfile.write(data[: len(data) // 2])
            self._hang_up()
            return
        self.wfile.write(data)

    def _say(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def _hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()
