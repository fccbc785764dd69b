"""SIGTERM in the middle of everything: requests end, jobs go on, and nothing is left half."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.server.processes.commands import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.processes.commands import Forks, ServeCommand

HOST = b"Host: localhost\r\n"
HALF_AN_UPLOAD = (
    b"POST /v1/videos HTTP/1.1\r\n" + HOST + b"Expect: 100-continue\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
)
VIDEO_BYTES = 32 * 2**20


@pytest.mark.timeout(900)
def test_a_stop_in_the_middle_of_everything(
    run_command: Callable[..., ServeCommand], forks: Forks
) -> None:
    """An upload, a stream of events and a download are under way, and a job runs."""
    command = run_command(forks=forks, seconds=2.0)
    http = httpx.Client(base_url=command.address, timeout=120)
    done = http.post("/v1/videos", json={"prompt": "a fox"}).json()["id"]
    wait_until(lambda: is_over(http, done), "the end of a run")
    (stored,) = (command.folder / "output_videos").glob("*.mp4")
    with stored.open("r+b") as file:
        file.truncate(VIDEO_BYTES)
    running = http.post("/v1/videos", json={"prompt": "a hare"}).json()["id"]

    upload = connect(command)
    upload.sendall(HALF_AN_UPLOAD)
    assert upload.recv(4096).startswith(b"HTTP/1.1 100")
    follower = connect(command)
    follower.sendall(f"GET /v1/videos/{running}/events HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    assert follower.recv(4096).startswith(b"HTTP/1.1 200")
    download = connect(command)
    download.sendall(f"GET /v1/videos/{done}/content HTTP/1.1\r\n".encode() + HOST + b"\r\n")
    got = download.recv(65536)
    assert got.startswith(b"HTTP/1.1 200")

    stopping = threading.Thread(target=command.stop)
    stopping.start()
    # What the client goes on to read comes whole; the others end.
    size = len(got.partition(b"\r\n\r\n")[2])
    while part := download.recv(2**20):
        size += len(part)
        if size >= VIDEO_BYTES:
            break
    assert size == VIDEO_BYTES
    for one in (upload, follower):
        read_to_end(one)
    stopping.join(120)
    assert not stopping.is_alive()

    command.start()
    wait_until(lambda: is_over(http, running), "the end of the other run")
    listed = http.get("/v1/videos").json()["data"]
    assert {one["id"] for one in listed} == {done, running}
    assert max(command.runs.sent().values()) == 1


def is_over(http: httpx.Client, job_id: str) -> bool:
    """Return whether a video is made."""
    status = http.get(f"/v1/videos/{job_id}").json()["status"]
    assert status != "failed"
    return bool(status == "completed")


def connect(command: ServeCommand) -> socket.socket:
    """Return a plain connection."""
    host, _, port = command.address.removeprefix("http://").partition(":")
    return socket.create_connection((host, int(port)), timeout=120)


def read_to_end(connection: socket.socket) -> None:
    """Read until the server ends a connection, in order or not."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return
