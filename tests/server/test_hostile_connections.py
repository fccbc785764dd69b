"""Connections that send nothing, the wrong thing, or take nothing: they end, and others go on."""

from __future__ import annotations

import resource
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from tests.server.test_bad_input import open_socket, talk

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio

HOST = b"Host: localhost\r\n"
HEALTH = b"GET /healthz HTTP/1.1\r\n" + HOST + b"\r\n"
POST = b"POST /v1/videos HTTP/1.1\r\n" + HOST
UPLOAD = (
    POST + b"Content-Type: application/json\r\nExpect: 100-continue\r\nContent-Length: 100\r\n\r\n"
)
LIMITS = "tiomagic_server.access.connections."
MANY = 10_000
"""Idle connections; each is a file of this process."""
SPARE_FILES = 3_000


def ask_health(connection: socket.socket) -> None:
    """See that a connection is answered; it stays open."""
    connection.sendall(HEALTH)
    found = b""
    while not found.endswith(b"}"):
        part = connection.recv(4096)
        assert part, "it is closed"
        found += part
    assert found.startswith(b"HTTP/1.1 200")


def test_an_idle_connection_makes_room(
    make_studio: Callable[..., FakeStudio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The one that has waited longest; those that are at work keep their place."""
    monkeypatch.setattr(f"{LIMITS}MAX_CONNECTIONS", 3)
    studio = make_studio()
    first, second, third = (open_socket(studio) for _ in range(3))
    for one in (first, second, third):
        ask_health(one)
    ask_health(open_socket(studio))
    with suppress(ConnectionError):
        assert first.recv(1) == b""
    ask_health(third)


def test_more_than_all_at_work_are_refused(
    make_studio: Callable[..., FakeStudio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """There is room again as soon as one of them ends."""
    monkeypatch.setattr(f"{LIMITS}MAX_CONNECTIONS", 3)
    studio = make_studio()
    busy = [open_socket(studio) for _ in range(3)]
    for one in busy:
        one.sendall(UPLOAD)
        assert one.recv(4096).startswith(b"HTTP/1.1 100")
    assert talk(studio, HEALTH) == b""
    busy[0].sendall(b" " * 100)
    assert busy[0].recv(4096).startswith(b"HTTP/1.1 400")
    ask_health(open_socket(studio))


@contextmanager
def more_files(count: int) -> Iterator[int]:
    """Raise the limit of open files; gives how many connections fit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, count + SPARE_FILES)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, wanted), hard))
    try:
        yield min(count, wanted - SPARE_FILES)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_ten_thousand_idle_connections(make_studio: Callable[..., FakeStudio]) -> None:
    """A thousand stay, and a client is served in the middle of them."""
    studio = make_studio()
    host, _, port = studio.url.removeprefix("http://").partition(":")
    with more_files(MANY) as count, ExitStack() as stack:
        assert count > 2_000, "this machine allows too few files to see anything"
        idle = [
            stack.enter_context(socket.create_connection((host, int(port)), timeout=120))
            for _ in range(count)
        ]
        assert studio.http().get("/healthz").status_code == 200
        poll = select.poll()
        for one in idle:
            poll.register(one, select.POLLIN)
        ended = len(poll.poll(0))
        assert count - ended <= 1_000


def test_a_client_that_takes_nothing_ends(
    make_studio: Callable[..., FakeStudio], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A video that nobody reads does not hold a connection, a file and memory for ever."""
    monkeypatch.setattr(f"{LIMITS}READING_TIMEOUT_S", 0.3)
    studio = make_studio()
    video = studio.http().post("/v1/videos", json={"prompt": "a fox"}).json()
    studio.provider.finish(video["id"])
    studio.http().get(f"/v1/videos/{video['id']}")
    path = studio.tm.get_job(video["id"]).record.result_video
    assert path is not None
    size = 64 * 2**20  # More than the kernel takes for both sides.
    with Path(path).open("r+b") as file:
        file.truncate(size)
    studio.clients.close()  # The connections until here would make room.
    connection = open_socket(studio)
    request = f"GET /v1/videos/{video['id']}/content HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    connection.sendall(request)
    assert connection.recv(12) == b"HTTP/1.1 200"
    # It holds the only place until the server gives it up, and takes no more until then.
    monkeypatch.setattr(f"{LIMITS}MAX_CONNECTIONS", 1)
    for _ in range(10_000):
        if talk(studio, HEALTH.replace(b"HTTP/1.1", b"HTTP/1.0")):
            break
    else:
        pytest.fail("it still has its place")
    got = 0
    with suppress(ConnectionError):
        while part := connection.recv(2**20):
            got += len(part)
    assert got < size


def test_a_follower_that_sends_its_end(studio: FakeStudio) -> None:
    """A client that closes its half has gone: its stream ends, and the server goes on."""
    video = studio.http().post("/v1/videos", json={"prompt": "a fox"}).json()
    connection = open_socket(studio)
    request = f"GET /v1/videos/{video['id']}/events HTTP/1.1\r\n".encode() + HOST + b"\r\n"
    connection.sendall(request)
    assert connection.recv(4096).startswith(b"HTTP/1.1 200")
    connection.shutdown(socket.SHUT_WR)
    while connection.recv(65536):
        pass
    ask_health(open_socket(studio))


@pytest.mark.parametrize(
    "given", ["9" * 5000, "-1", "x", "1 2", "0x10"], ids=["long", "-1", "x", "two", "hex"]
)
def test_a_last_event_that_is_none(studio: FakeStudio, given: str) -> None:
    """The stream begins from the start."""
    video = studio.http().post("/v1/videos", json={"prompt": "a fox"}).json()
    path = f"/v1/videos/{video['id']}/events"
    answer = studio.http().get(path, headers={"last-event-id": given})
    assert "event: video.completed" in answer.text


HEADS = {
    "a header of 200 KB": b"GET /healthz HTTP/1.1\r\n" + HOST + b"X: " + b"a" * 200_000,
    "two hosts": b"GET /v1/videos HTTP/1.1\r\n" + HOST + b"Host: evil.example",
    "no host": b"GET /v1/videos HTTP/1.1\r\nX: a",
    "two lengths": b"POST /v1/videos HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: 5\r\nContent-Length: 6",
    "a length below 0": POST + b"Content-Length: -5",
    "a length with a sign": POST + b"Content-Length: +5",
    "a length of 40 digits": b"POST /v1/videos HTTP/1.1\r\n"
    + HOST
    + b"Content-Length: "
    + b"9" * 40,
    "a coding that is none": b"POST /v1/videos HTTP/1.1\r\n"
    + HOST
    + b"Transfer-Encoding: gzip, chunked",
    "no HTTP": b"hello",
    "TLS": bytes.fromhex("16030100c8010000c40303") + bytes(200),
}


@pytest.mark.parametrize("name", HEADS)
def test_a_head_that_is_none(studio: FakeStudio, name: str) -> None:
    """The answer is 400, and the connection ends: what follows is no request."""
    answer = talk(studio, HEADS[name] + b"\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 400") or answer == b""
    assert answer.count(b"HTTP/1.1") <= 1


def test_a_request_within_a_body_is_none(studio: FakeStudio) -> None:
    """Two lengths of one body: what the chunks leave over is not taken for a request."""
    head = POST + b"Content-Type: application/json\r\n"
    body = b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n0\r\n\r\n"
    answer = talk(studio, head + body + HEALTH)
    assert answer.count(b"HTTP/1.1") == 1
    assert answer.startswith(b"HTTP/1.1 400")


def test_a_websocket_is_none(studio: FakeStudio) -> None:
    """The request is answered as any other."""
    upgrade = b"Connection: Upgrade, close\r\nUpgrade: websocket\r\nSec-WebSocket-Key: eA==\r\n"
    head = b"GET /v1/videos HTTP/1.1\r\n" + HOST + upgrade + b"Sec-WebSocket-Version: 13\r\n\r\n"
    assert talk(studio, head).startswith(b"HTTP/1.1 200")


def test_a_client_that_goes_within_its_body(
    studio: FakeStudio, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is stored, and it is no fault of the server."""
    connection = open_socket(studio)
    connection.sendall(UPLOAD)
    assert connection.recv(4096).startswith(b"HTTP/1.1 100")
    connection.close()
    assert studio.http().get("/v1/videos").json()["data"] == []
    assert "server.failed" not in caplog.text
