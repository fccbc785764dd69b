"""A server of several processes: what one of them has taken, all of them have."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

import httpx
import pytest
from tests.server.processes.commands import ServeCommand, is_alive, send, wait_until

from tiomagic_server.access.keys import ClientKeys

pytestmark = pytest.mark.timeout(600)


@contextmanager
def only(served: ServeCommand, number: int) -> Iterator[httpx.Client]:
    """Let one process alone take connections: the others stand still."""
    others = [pid for index, pid in enumerate(sorted(served.pids())) if index != number]
    for pid in others:
        send(pid, signal.SIGSTOP)
    try:
        with connect(served) as http:
            yield http
    finally:
        for pid in others:
            send(pid, signal.SIGCONT)


def connect(served: ServeCommand, key: str = "none") -> httpx.Client:
    """Return a client that makes a connection for each request."""
    headers = {"connection": "close", "authorization": f"Bearer {key}"}
    return httpx.Client(base_url=served.address, timeout=120, headers=headers)


def create(http: httpx.Client, **more: Any) -> httpx.Response:
    """Make a video."""
    return http.post("/v1/videos", json={"prompt": "a fox"}, **more)


def test_one_takes_it_and_another_follows_and_deletes_it(served: ServeCommand) -> None:
    """Each step goes through another process than the one before."""
    with only(served, 0) as http:
        video = create(http).json()
    path = f"/v1/videos/{video['id']}"
    with only(served, 1) as http:
        assert http.get(path).json()["status"] in {"queued", "in_progress", "completed"}
        events = http.get(f"{path}/events").text.split("\r\n\r\n")
        data = [line for line in events[-2].splitlines() if line.startswith("data: ")]
        assert json.loads(data[0].removeprefix("data: "))["status"] == "completed"
    with only(served, 0) as http:
        assert http.get(path).json()["status"] == "completed"
        assert http.get(f"{path}/content").content[4:8] == b"ftyp"
    with only(served, 1) as http:
        assert http.delete(path).json()["deleted"] is True
    with only(served, 0) as http:
        assert http.get(path).status_code == 404
        listed = http.get("/v1/videos", params={"limit": 100}).json()["data"]
        assert video["id"] not in [one["id"] for one in listed]


def test_a_run_of_one_is_canceled_through_another(served: ServeCommand) -> None:
    """Deleted means that its run has stopped."""
    with only(served, 0) as http:
        video = create(http).json()
    with only(served, 1) as http:
        assert http.delete(f"/v1/videos/{video['id']}").json()["deleted"] is True
    # Its run was over, or it was stopped; it goes on in no case.
    age = served.runs.age_s(video["id"])
    assert age is not None
    assert served.runs.is_stopped(video["id"]) or age >= served.seconds


def test_a_key_of_calls_holds_for_all(served: ServeCommand) -> None:
    """Repeated through another process, and at once through both."""
    headers = {"idempotency-key": "order 7"}
    with only(served, 0) as http:
        first = create(http, headers=headers).json()
    with only(served, 1) as http:
        assert create(http, headers=headers).json()["id"] == first["id"]
        other = http.post("/v1/videos", json={"prompt": "a hare"}, headers=headers)
        assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")
    with connect(served) as http, ThreadPoolExecutor(8) as pool:
        again = {"idempotency-key": "order 8"}
        ids = {one.json()["id"] for one in pool.map(lambda _: create(http, headers=again), [0] * 8)}
    assert len(ids) == 1
    sent = served.runs.sent()
    assert (sent[first["id"]], sent[ids.pop()]) == (1, 1)


def test_a_rate_counts_the_jobs_of_all(served: ServeCommand) -> None:
    """Half of the jobs through each; a key that is made or removed holds for both at once."""
    keys = ClientKeys(served.folder / ".tiomagic")
    key = keys.add("ann", jobs_per_minute=2)
    try:
        headers = {"authorization": f"Bearer {key}"}
        for number, status in ((0, 200), (1, 200), (0, 429), (1, 429)):
            with only(served, number) as http:
                assert create(http).status_code == 401
                assert create(http, headers=headers).status_code == status
    finally:
        keys.remove("ann")


def test_calls_at_once_do_not_pass_a_rate(served: ServeCommand) -> None:
    """Counted where a job is stored. A repeated call is no further one, and has its answer."""
    keys = ClientKeys(served.folder / ".tiomagic")
    own = {"authorization": f"Bearer {keys.add('bea', jobs_per_minute=3)}"}
    try:
        with connect(served) as http, ThreadPoolExecutor(12) as pool:
            sent = [own | {"idempotency-key": f"at once {number}"} for number in range(24)]
            codes = list(pool.map(lambda one: create(http, headers=one).status_code, sent))
            assert (codes.count(200), codes.count(429)) == (3, 21)
            first = sent[codes.index(200)]
            assert create(http, headers=first).status_code == 200
    finally:
        keys.remove("bea")


def test_one_that_dies_is_replaced(served: ServeCommand) -> None:
    """The other one answers meanwhile, and nothing that was taken is lost."""
    with connect(served) as http:
        video = create(http).json()
        before = set(served.pids())
        victim = min(before)
        send(victim, signal.SIGKILL)
        assert http.get(f"/v1/videos/{video['id']}").status_code == 200
        wait_until(lambda: set(served.pids()) - before, "a new process")
        new = sorted(served.pids()).index((set(served.pids()) - before).pop())
    with only(served, new) as http:
        assert http.get(f"/v1/videos/{video['id']}").status_code == 200


def test_all_stop_in_order_and_jobs_go_on(served: ServeCommand) -> None:
    """The next server on the port finds the job. Without their parent its processes end as well."""
    with connect(served) as http:
        video = create(http).json()
    pids = served.pids()
    assert served.stop() == 0
    assert not any(map(is_alive, pids))
    served.start()
    with connect(served) as http:
        events = http.get(f"/v1/videos/{video['id']}/events").text
        assert "event: video.completed" in events
    assert served.runs.sent()[video["id"]] == 1
    # A parent that is killed cannot stop them; they would hold the port.
    assert served.process is not None
    pids = served.pids()
    served.process.kill()
    served.process.wait()
    wait_until(lambda: not any(map(is_alive, pids)), "the end of its processes")
