"""SIGTERM in the middle of everything: what was answered is true, and nothing is left half."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import TYPE_CHECKING

import httpx
import pytest
from tests.server.processes.cloud import DELAY_VARIABLE
from tests.server.processes.commands import is_alive, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.server.processes.commands import Forks, ServeCommand

HALF_AN_UPLOAD = (
    b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n"
    b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
)
VIDEO_BYTES = 32 * 2**20
"""More than the system keeps for a client that does not read."""


@pytest.fixture
def clients() -> Iterator[ExitStack]:
    """Ends the connections of a test."""
    with ExitStack() as stack:
        yield stack


@pytest.mark.timeout(900)
@pytest.mark.parametrize("workers", [1, 2])
def test_a_stop_in_the_middle_of_everything(
    run_command: Callable[..., ServeCommand], forks: Forks, clients: ExitStack, workers: int
) -> None:
    """A create, an upload, a stream of events and a download are under way, and a job runs."""
    command = run_command(
        forks=forks, seconds=3600, workers=workers, variables={DELAY_VARIABLE: "2"}
    )
    http = clients.enter_context(httpx.Client(base_url=command.address, timeout=120))
    done = http.post("/v1/videos", json={"prompt": "a fox"}).json()["id"]
    command.runs.finish(done)
    wait_until(lambda: is_over(http, done), "the end of a run")
    (stored,) = (command.folder / "output_videos").glob("*.mp4")
    with stored.open("r+b") as file:
        file.truncate(VIDEO_BYTES)
    running = http.post("/v1/videos", json={"prompt": "a hare"}).json()["id"]
    pids = command.pids()

    upload = clients.enter_context(connect(command))
    upload.sendall(HALF_AN_UPLOAD)
    assert upload.recv(4096).startswith(b"HTTP/1.1 100")
    with (
        http.stream("GET", f"/v1/videos/{running}/events") as events,
        http.stream("GET", f"/v1/videos/{done}/content") as download,
        ThreadPoolExecutor() as pool,
    ):
        lines = events.iter_lines()
        last = read_id(lines)
        pieces = download.iter_raw()
        size = len(next(pieces))
        call = {"prompt": "an owl"}
        made = pool.submit(httpx.post, f"{command.address}/v1/videos", json=call, timeout=120)
        wait_until(lambda: len(command.runs.asked()) == 3, "the third submission")
        stopping = threading.Thread(target=command.stop)
        stopping.start()
        # The stream ends as a whole answer does, and its client comes again.
        for line in lines:
            last = line.removeprefix("id: ") if line.startswith("id: ") else last
        # What a client goes on to read comes whole, and so does the answer to a create.
        assert size + sum(map(len, pieces)) == VIDEO_BYTES
        created = made.result()
    assert created.status_code == 200
    read_to_end(upload)
    stopping.join(120)
    assert not any(map(is_alive, pids))

    command.start()
    command.runs.finish(running)
    again = http.get(f"/v1/videos/{running}/events", headers={"last-event-id": last})
    assert "event: video.completed" in again.text
    assert f"id: {last}\r\n" not in again.text
    listed = http.get("/v1/videos").json()["data"]
    assert {one["id"] for one in listed} == {done, running, created.json()["id"]}
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


def read_id(lines: Iterator[str]) -> str:
    """Return the id of the next event."""
    return next(line.removeprefix("id: ") for line in lines if line.startswith("id: "))


def read_to_end(connection: socket.socket) -> None:
    """Read until the server ends a connection, in order or not."""
    try:
        while connection.recv(65536):
            pass
    except ConnectionError:
        return
