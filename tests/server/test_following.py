"""Events of a video, a request that waits for it, metrics, and two servers on one store."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from tests.server.conftest import MODEL

from tiomagic_domain.errors import GenerationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.server.conftest import FakeStudio


def read_events(studio: FakeStudio, video_id: str, last: str = "") -> list[dict[str, Any]]:
    """Read a stream to its end."""
    found: list[dict[str, Any]] = []
    headers = {"last-event-id": last} if last else {}
    path = f"/v1/videos/{video_id}/events"
    with studio.http().stream("GET", path, headers=headers) as answer:
        assert answer.headers["content-type"].startswith("text/event-stream")
        event: dict[str, Any] = {}
        for line in answer.iter_lines():
            name, _, value = line.partition(": ")
            if not line and event:
                found.append(event)
                event = {}
            elif name in {"id", "event", "data"}:
                event[name] = value
    return found


def test_events_to_the_end_and_again_from_the_middle(studio: FakeStudio) -> None:
    """Each change comes once; who comes again gets what it has missed."""
    video = studio.http().post("/v1/videos", json={"prompt": "a fox"}).json()
    events = read_events(studio, video["id"])
    assert events[-1]["event"] == "video.completed"
    assert json.loads(events[-1]["data"])["progress"] == 100
    numbers = [int(event["id"]) for event in events]
    assert numbers == sorted(set(numbers))
    assert read_events(studio, video["id"], str(numbers[-1] - 1)) == events[-1:]
    path = f"/v1/videos/{video['id']}/events"
    again = studio.http().get(path, headers={"last-event-id": str(numbers[-1])})
    assert again.status_code == 204


def test_a_request_that_waits(studio: FakeStudio) -> None:
    """The answer is the video; of a failed one the error."""
    answer = studio.http().post("/v1/videos/sync", json={"prompt": "a fox"})
    assert (answer.status_code, answer.headers["content-type"]) == (200, "video/mp4")
    assert answer.content == f"a video of {answer.headers['x-video-id']}".encode()
    studio.provider.failure = GenerationError("the model broke", code="not_finite")
    failed = studio.http().post("/v1/videos/sync", json={"prompt": "a fox"})
    assert (failed.status_code, failed.json()["error"]["code"]) == (422, "not_finite")


def test_two_servers_see_each_others_jobs(make_studio: Callable[..., FakeStudio]) -> None:
    """What one has taken the other follows, lists and deletes."""
    check_two_servers(make_studio(), make_studio())


def test_two_servers_on_postgresql(
    make_studio: Callable[..., FakeStudio], postgresql_url: str
) -> None:
    """The same over a database of its own."""
    settings = {"database_url": postgresql_url}
    check_two_servers(make_studio(settings=settings), make_studio(settings=settings))


def check_two_servers(first: FakeStudio, second: FakeStudio) -> None:
    """Make a video at one server, and do the rest at the other."""
    video = first.http().post("/v1/videos", json={"prompt": "a fox", "model": MODEL}).json()
    # Stored is not sent yet: the other server would find no run at the provider.
    while first.tm.get_job(video["id"]).record.call_id is None:
        time.sleep(0.02)
    assert [one["id"] for one in second.http().get("/v1/videos").json()["data"]] == [video["id"]]
    assert read_events(second, video["id"])[-1]["event"] == "video.completed"
    assert first.http().get(f"/v1/videos/{video['id']}").json()["status"] == "completed"
    assert second.http().delete(f"/v1/videos/{video['id']}").json()["deleted"] is True
    assert first.http().get("/v1/videos").json()["data"] == []


def test_a_server_follows_what_the_last_one_left(make_studio: Callable[..., FakeStudio]) -> None:
    """A job that ended while no server ran is found at the start of the next."""
    first = make_studio()
    video = first.http().post("/v1/videos", json={"prompt": "a fox"}).json()
    first.provider.finish(video["id"])
    second = make_studio()
    assert read_events(second, video["id"])[-1]["event"] == "video.completed"


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_probes(studio: FakeStudio, path: str) -> None:
    """The server says that it is well."""
    assert studio.http().get(path).json()["status"] == "ok"


def test_metrics(studio: FakeStudio) -> None:
    """Requests by route, and jobs by status; a path that is no route is no label."""
    studio.http().post("/v1/videos", json={"prompt": "a fox"})
    studio.http().get("/v1/nothing")
    text = studio.http().get("/metrics").text
    assert 'tiomagic_jobs{status="queued"} 1.0' in text
    assert 'tiomagic_requests_total{method="POST",route="/v1/videos",status="200"} 1.0' in text
    assert "nothing" not in text
