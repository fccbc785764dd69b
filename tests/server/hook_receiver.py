"""A real receiver on loopback, which verifies every message with the library of the rules."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from standardwebhooks import Webhook, WebhookVerificationError

WAIT_S = 300
"""How long a test waits for what must come."""


@dataclass
class Message:
    """A message that came, with a signature that holds."""

    webhook_id: str
    body: bytes

    @property
    def data(self) -> dict[str, Any]:
        """What it says."""
        found: dict[str, Any] = json.loads(self.body)
        return found


@dataclass
class HookReceiver:
    """A receiver of messages. ``answers`` are used up, and then it says 204."""

    url: str = ""
    secrets: list[str] = field(default_factory=list)
    answers: list[tuple[int, dict[str, str]]] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)
    forged: list[str] = field(default_factory=list)
    on_message: Callable[[Message], None] = lambda _: None
    changed: threading.Condition = field(default_factory=threading.Condition)

    def wait_for(self, count: int) -> list[Message]:
        """Return the messages as soon as there are so many."""
        with self.changed:
            assert self.changed.wait_for(lambda: len(self.messages) >= count, WAIT_S), self.forged
            return list(self.messages)

    def wait_for_different(self, count: int) -> list[Message]:
        """Return all messages as soon as so many of them are no repeats."""

        def is_there() -> bool:
            return len({one.webhook_id for one in self.messages}) >= count

        with self.changed:
            assert self.changed.wait_for(is_there, WAIT_S), (len(self.messages), self.forged)
            return list(self.messages)

    def take(self, headers: dict[str, str], body: bytes) -> tuple[int, dict[str, str]]:
        """Verify a message, and return the answer."""
        for secret in self.secrets:
            try:
                Webhook(secret).verify(body, headers)
                break
            except WebhookVerificationError as error:
                reason = str(error)
        else:
            with self.changed:
                self.forged.append(reason)
                self.changed.notify_all()
            return 401, {}
        message = Message({k.lower(): v for k, v in headers.items()}["webhook-id"], body)
        with self.changed:
            self.messages.append(message)
            answer = self.answers.pop(0) if self.answers else (204, {})
            self.changed.notify_all()
        self.on_message(message)
        return answer


@contextmanager
def run_receiver() -> Iterator[HookReceiver]:
    """Give a receiver that listens."""
    receiver = HookReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            status, headers = receiver.take(dict(self.headers.items()), body)
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    receiver.url = f"http://127.0.0.1:{server.server_address[1]}/hook"
    yield receiver
    server.shutdown()
    server.server_close()
    thread.join()
