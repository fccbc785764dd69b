"""One key and one call make one job, however often they are sent."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from tests.server.pictures import picture

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio


KEY = {"Idempotency-Key": "order 7"}


def send(studio: FakeStudio, **fields: str) -> tuple[int, dict[str, object]]:
    """Send a call with the key."""
    files = {"input_reference": ("fox.png", picture(), "image/png")}
    answer = studio.http().post("/v1/videos", headers=KEY, data=fields, files=files)
    return answer.status_code, answer.json()


def test_a_repeated_call_gives_the_same_job_also_after_a_restart(
    make_studio: Callable[..., FakeStudio],
) -> None:
    """The store knows the key: any process of any server does."""
    first = make_studio()
    status, video = send(first, prompt="a fox")
    assert status == 200
    second = make_studio()
    assert send(second, prompt="a fox") == send(first, prompt="a fox")
    assert send(second, prompt="a fox")[1]["id"] == video["id"]
    assert len(first.provider.submitted) == 1


def test_another_call_with_the_key_is_refused(studio: FakeStudio) -> None:
    """The error names what differs."""
    send(studio, prompt="a fox")
    status, answer = send(studio, prompt="a hare")
    assert status == 422
    error = answer["error"]
    assert isinstance(error, dict)
    assert (error["code"], error["param"]) == ("key_reused", "prompt")
    assert len(studio.tm.list_jobs()) == 1


def test_calls_at_once_with_one_key_make_one_job(studio: FakeStudio) -> None:
    """A race in one server; the store decides it."""
    with ThreadPoolExecutor(4) as pool:
        ids = {
            video["id"]
            for status, video in pool.map(lambda _: send(studio, prompt="a fox"), range(8))
            if status == 200
        }
    assert len(ids) == 1
    assert len(studio.provider.submitted) == 1


def test_two_keys_of_clients_do_not_share_a_key_of_calls(
    make_studio: Callable[..., FakeStudio],
) -> None:
    """One client cannot reach the job of another by its idempotency key."""
    studio = make_studio()
    ann, bob = studio.keys.add("ann"), studio.keys.add("bob")
    ids = {
        studio.http(key).post("/v1/videos", headers=KEY, json={"prompt": "a fox"}).json()["id"]
        for key in (ann, bob)
    }
    assert len(ids) == 2


def test_a_key_that_is_none_is_refused_in_one_way(studio: FakeStudio) -> None:
    """Whatever is wrong with it, and however long it is."""
    said = set()
    for key in ("", "a" * 201, "a" * 256, "a\tb"):
        answer = studio.http().post(
            "/v1/videos", headers={"Idempotency-Key": key}, json={"prompt": "a fox"}
        )
        error = answer.json()["error"]
        assert (answer.status_code, error["param"]) == (400, "Idempotency-Key")
        said.add(error["problems"][0]["message"])
    assert said == {"must have 1 to 200 printable characters"}
    longest = {"Idempotency-Key": "a" * 200}
    key = studio.keys.add("a" * 40)
    sent = studio.http(key).post("/v1/videos", headers=longest, json={"prompt": "a fox"})
    assert sent.status_code == 200


def test_a_key_is_free_again_when_its_video_was_deleted(studio: FakeStudio) -> None:
    """A repeat makes another video, as the page of the server says."""
    http, sent = studio.http(), {"headers": KEY, "json": {"prompt": "a fox"}}
    first = http.post("/v1/videos", **sent).json()["id"]
    studio.provider.finish(first)
    assert http.delete(f"/v1/videos/{first}").json()["deleted"]
    assert http.post("/v1/videos", **sent).json()["id"] != first
