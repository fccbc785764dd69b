"""What the vendors on loopback have in common: a server, planned faults, a count of requests.

A test plans faults, each for the next request of its kind. A simulator has no clock: a run is over
after some looks at it.
"""

from __future__ import annotations

import json
import threading
from abc import ABC, abstractmethod
from collections import Counter, deque
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    import pytest

LOST = (
    "hang up after accepting",
    "hang up in the answer",
    "500 after accepting",
    "half an answer",
)
"""Faults of a submission after which the vendor has a run and the caller no answer."""


@dataclass
class Run:
    """A run that a vendor has accepted, and bills."""

    endpoint: str
    arguments: dict[str, Any]
    polls_left: int
    """Looks until it is over."""
    canceled: bool = False


@dataclass
class Simulator(ABC):
    """A vendor of its own: what it accepted, and what goes wrong next."""

    handler: ClassVar[type[VendorHandler]]

    video: bytes
    runs: dict[str, Run] = field(default_factory=dict)
    uploads: dict[str, bytes] = field(default_factory=dict)
    seen: Counter[str] = field(default_factory=Counter)
    """Requests by kind: ``create``, ``status``, ``result``, ``cancel``, ``file``."""
    paths: list[str] = field(default_factory=list)
    """The address of each request."""
    creates: deque[str | None] = field(default_factory=deque)
    """Faults of the next submissions: `LOST`, ``slow down``, ``no credit``, ``moderation``."""
    looks: deque[str | None] = field(default_factory=deque)
    """Of the next looks: ``hang up``, ``500``, ``slow down``, ``unknown``, ``gone``."""
    ends: deque[str | None] = field(default_factory=deque)
    """Of the next answers about a run that is over: ``moderation``, ``500``, ``no video``."""
    files: deque[str | None] = field(default_factory=deque)
    """Of the next downloads: ``cut off``, ``a page``, ``expired``."""
    is_away: bool = False
    key: str = "key-of-the-test"
    stops_running: bool = True
    """False for a vendor that takes the request to cancel and finishes the run all the same."""
    lock: threading.Lock = field(default_factory=threading.Lock)

    def __enter__(self) -> Self:
        self._server = ThreadingHTTPServer(
            ("127.0.0.1", 0), type("BoundHandler", (self.handler,), {"vendor": self})
        )
        self._server.daemon_threads = True
        self._thread = threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True
        )
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @abstractmethod
    def use(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Let the vendor's client in this process speak to this server."""

    def next_fault(self, faults: deque[str | None]) -> str | None:
        with self.lock:
            return faults.popleft() if faults else None

    def accept(self, run_id: str, endpoint: str, arguments: dict[str, Any], prompt: str) -> None:
        """Begin a run: of "a long run", one that outlasts a cancel, or does not end by itself."""
        long = 10**9 if self.stops_running else 8
        polls = long if prompt == "a long run" else 3
        with self.lock:
            self.runs[run_id] = Run(endpoint, arguments, polls)


class VendorHandler(BaseHTTPRequestHandler):
    """Answers as a vendor. A subclass has `route`."""

    protocol_version = "HTTP/1.1"
    vendor: Any

    def log_message(self, *_: object) -> None:
        """Say nothing."""

    def do_POST(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def do_PUT(self) -> None:
        self._answer()

    def do_DELETE(self) -> None:
        self._answer()

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        self.vendor.paths.append(self.path)
        if self.vendor.is_away:
            self.hang_up()
            return
        self.route(self.path.partition("?")[0].lstrip("/"), body)

    def route(self, path: str, body: bytes) -> None:
        raise NotImplementedError

    def send_file(self) -> None:
        """Send the video, as a file of the vendor's."""
        vendor = self.vendor
        vendor.seen["file"] += 1
        fault, data = vendor.next_fault(vendor.files), vendor.video
        if fault == "expired":
            self.say(404, {"error": {"message": "expired", "code": 404}})
            return
        if fault == "a page":
            data = b"<html>Log in</html>"
        self.send_response(200)
        self.send_header("content-type", "video/mp4")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        if fault == "cut off":
            self.wfile.write(data[: len(data) // 2])
            self.hang_up()
            return
        self.wfile.write(data)

    def say(self, status: int, body: object, headers: dict[str, str] | None = None) -> None:
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def say_half(self, status: int, body: object) -> None:
        """Break the connection in the middle of an answer."""
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2])
        self.hang_up()

    def hang_up(self) -> None:
        self.close_connection = True
        self.wfile.flush()
        self.connection.close()
