"""The address of a video that was made gives it without a key, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.server.conftest import MODEL, FakeStudio

from tiomagic_server.access.links import VALID_S, ContentLinks

JOB = "0a0a0a0a-1111-4222-8333-444444444444"


def finish_a_video(studio: FakeStudio, key: str) -> tuple[str, str]:
    """Make a video in OpenRouter's form; return its id and its address."""
    http = studio.http(key)
    made = http.post("/api/v1/videos", json={"model": MODEL, "prompt": "a fox"}).json()
    studio.provider.finish(made["id"])
    while (seen := http.get(f"/api/v1/videos/{made['id']}").json())["status"] != "completed":
        assert seen["status"] in {"pending", "in_progress"}
    return made["id"], seen["unsigned_urls"][0]


def test_a_finished_video_is_fetched_without_the_key(studio: FakeStudio) -> None:
    """By its address alone, which ends with the key of its owner."""
    key = studio.keys.add("ann")
    studio.keys.add("bob")
    job_id, address = finish_a_video(studio, key)
    answer = studio.http().get(address)
    assert (answer.status_code, answer.content) == (200, f"a video of {job_id}".encode())
    asked = studio.http().head(address)  # Players and download tools ask for the size first.
    assert (asked.status_code, asked.content) == (200, b"")
    assert asked.headers["content-length"] == answer.headers["content-length"]
    studio.keys.remove("ann")
    assert studio.http().get(address).status_code == 401
    assert studio.http().head(address).status_code == 401


def test_the_address_is_good_for_that_alone(studio: FakeStudio) -> None:
    """Not for another video, another route, another method, nor with another name in it."""
    key = studio.keys.add("ann")
    studio.keys.add("bob")
    job_id, address = finish_a_video(studio, key)
    other, _ = finish_a_video(studio, key)
    plain, _, query = address.partition("?")
    http = studio.http()
    for refused in (
        http.get(plain),
        http.get(address.replace(job_id, other)),
        http.get(address.replace("ann", "bob")),
        http.get(f"{plain.removesuffix('/content')}?{query}"),
        http.get(f"/v1/videos?{query}"),
        http.delete(f"/v1/videos/{job_id}?{query}"),
        http.post(address),
        http.get(address, headers={"authorization": "Bearer tio-wrong"}),
    ):
        assert refused.status_code == 401
    assert studio.tm.get_job(job_id).status == "completed"


def test_without_keys_it_is_not_signed(tmp_path: Path) -> None:
    """There is nothing to prove."""
    videos = "http://127.0.0.1:8000/v1/videos"
    assert ContentLinks(tmp_path).make(videos, JOB, None) == f"{videos}/{JOB}/content"


def test_it_ends_after_an_hour(tmp_path: Path) -> None:
    """And another process with the same state folder knows it until then."""
    now = [1000.0]
    links = ContentLinks(tmp_path, now=lambda: now[0])
    address = links.make("/v1/videos", JOB, "ann")
    path, _, text = address.partition("?")
    query = dict(pair.split("=") for pair in text.split("&"))
    now[0] += VALID_S
    assert ContentLinks(tmp_path, now=lambda: now[0]).find_key(path, query) == "ann"
    now[0] += 1
    assert links.find_key(path, query) is None
    later = str(int(query["expires"]) + 60)
    assert links.find_key(path, query | {"expires": later}) is None


@pytest.fixture(scope="module")
def links(tmp_path_factory: pytest.TempPathFactory) -> ContentLinks:
    """Links of a server."""
    return ContentLinks(tmp_path_factory.mktemp("state"), now=lambda: 0)


@given(query=st.dictionaries(st.sampled_from(["key", "expires", "signature"]), st.text()))
def test_what_is_not_signed_is_nobodys(links: ContentLinks, query: dict[str, str]) -> None:
    """Whatever is written there."""
    assert links.find_key(f"/v1/videos/{JOB}/content", query) is None
