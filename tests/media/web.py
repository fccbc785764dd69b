"""A small web server on loopback that can misbehave."""

from __future__ import annotations

import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

Answer = Callable[[BaseHTTPRequestHandler], None]


class Web:
    """What the server answers, and what it was asked.

    Attributes:
        answers: By path.
        requests: Path and headers of each request.
        stop: Set when the test is over; endless answers watch it.
    """

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self._server = server
        self.port = server.server_port
        self.answers: dict[str, Answer] = {}
        self.requests: list[tuple[str, dict[str, str]]] = []
        self.stop = threading.Event()

    def encrypt(self, context: ssl.SSLContext) -> None:
        """Speak TLS from now on."""
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False
        )

    def url(self, path: str, host: str = "127.0.0.1") -> str:
        """Return the address of a path."""
        return f"http://{host}:{self.port}{path}"

    def add(self, path: str, body: bytes, status: int = 200, **headers: str) -> str:
        """Answer a path with fixed bytes; returns its address."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            handler.send_response(status)
            for name, value in headers.items():
                handler.send_header(name.replace("_", "-"), value)
            if "Content_Length" not in headers:
                handler.send_header("Content-Length", str(len(body)))
            handler.end_headers()
            handler.wfile.write(body)

        self.answers[path] = answer
        return self.url(path)

    def redirect(self, path: str, target: str, status: int = 302) -> str:
        """Send a path elsewhere; returns its address."""
        return self.add(path, b"moved", status, Location=target)

    def endless(self, path: str, piece: bytes, pause: float, *, head: bool = False) -> str:
        """Answer with the same piece for ever, in the body or already in the headers."""

        def answer(handler: BaseHTTPRequestHandler) -> None:
            if head:
                handler.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
            else:
                handler.send_response(200)
                handler.end_headers()
            while not self.stop.wait(pause):
                handler.wfile.write(piece)

        self.answers[path] = answer
        return self.url(path)


@contextmanager
def running_web() -> Iterator[Web]:
    """Run the server in threads for as long as the block lasts."""

    class Server(ThreadingHTTPServer):
        def handle_error(self, *args: object) -> None:
            """Write nothing: clients that go away in the middle are what is tested."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            web.requests.append((self.path, dict(self.headers)))
            try:
                web.answers[self.path](self)
            except (BrokenPipeError, ConnectionResetError):
                # The client has gone, as it should.
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            """Write nothing."""

    server = Server(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    web = Web(server)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield web
    finally:
        web.stop.set()
        server.shutdown()
        server.server_close()
        thread.join()
