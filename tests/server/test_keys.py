"""Who may ask: keys, host names, other websites."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tiomagic_domain.errors import ConfigurationError, ResourceNotFoundError, ValidationError
from tiomagic_server.access.keys import ClientKeys
from tiomagic_server.options import ServeOptions
from tiomagic_server.serving import serve

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio


def test_a_key_is_shown_once_and_stored_as_a_digest(tmp_path: Path) -> None:
    """The file has no key in it, and is for its owner only."""
    keys = ClientKeys(tmp_path / "state")
    key = keys.add("ann", jobs_per_minute=5)
    text = (tmp_path / "state" / "server_keys.json").read_text("utf-8")
    assert key.startswith("tio-")
    assert key not in text
    assert (tmp_path / "state" / "server_keys.json").stat().st_mode & 0o077 == 0
    found = ClientKeys(tmp_path / "state").find(key)
    assert found is not None
    assert (found.name, found.jobs_per_minute) == ("ann", 5)
    assert keys.find(key + "x") is None


def test_what_is_no_name_or_taken_is_refused(tmp_path: Path) -> None:
    """Each with its reason; nothing is written."""
    keys = ClientKeys(tmp_path)
    keys.add("ann")
    for name, rate in (("ann", 1), ("Ann B", 1), ("bob", 0)):
        with pytest.raises(ValidationError):
            keys.add(name, rate)
    with pytest.raises(ResourceNotFoundError, match="ann"):
        keys.remove("anna")
    assert [one.name for one in keys.list()] == ["ann"]


def test_with_keys_every_request_shows_one(studio: FakeStudio) -> None:
    """Probes apart. A removed key is refused at once."""
    assert studio.http().get("/v1/videos").status_code == 200
    key = studio.keys.add("ann")
    refused = studio.http().get("/v1/videos")
    assert (refused.status_code, refused.headers["www-authenticate"]) == (401, "Bearer")
    assert refused.json()["error"]["code"] == "invalid_api_key"
    assert studio.http("tio-wrong").get("/openapi.json").status_code == 401
    assert studio.http().get("/healthz").status_code == 200
    assert studio.http(key).get("/v1/videos").status_code == 200
    studio.keys.add("bob")
    studio.keys.remove("ann")
    assert studio.http(key).get("/v1/videos").status_code == 401


def test_a_key_sees_its_own_jobs_only(studio: FakeStudio) -> None:
    """Another's job is as if it were not there, by every route."""
    ann, bob = (studio.http(studio.keys.add(name)) for name in ("ann", "bob"))
    video = ann.post("/v1/videos", json={"prompt": "a fox"}).json()
    path = f"/v1/videos/{video['id']}"
    assert ann.get(path).status_code == 200
    for answer in (
        bob.get(path),
        bob.get(f"{path}/content"),
        bob.delete(path),
        bob.post(f"{path}/remix", json={"prompt": "a hare"}),
        bob.get(f"/api/v1/videos/{video['id']}"),
        bob.get("/v1/videos", params={"after": video["id"]}),
        bob.post("/v1/videos/extensions", json={"video": {"id": video["id"]}, "prompt": "on"}),
    ):
        assert answer.status_code == 404, answer.text
    assert bob.get("/v1/videos").json()["data"] == []
    assert [one["id"] for one in ann.get("/v1/videos").json()["data"]] == [video["id"]]
    own = bob.post("/v1/videos", json={"prompt": "a", "image": video["id"]})
    assert "no such video" in own.json()["error"]["message"]


def test_a_key_has_a_rate(studio: FakeStudio) -> None:
    """It is counted in the store; other keys have their own."""
    ann = studio.http(studio.keys.add("ann", jobs_per_minute=2))
    codes = [ann.post("/v1/videos", json={"prompt": "a fox"}).status_code for _ in range(3)]
    assert codes == [200, 200, 429]
    refused = ann.post("/v1/videos", json={"prompt": "a fox"})
    assert int(refused.headers["retry-after"]) > 0
    assert refused.json()["error"]["type"] == "rate_limit_error"
    bob = studio.http(studio.keys.add("bob"))
    assert bob.post("/v1/videos", json={"prompt": "a fox"}).status_code == 200


def test_calls_at_once_do_not_pass_a_rate(make_studio: Callable[..., FakeStudio]) -> None:
    """Two servers over one SQLite file; each job is counted where it is stored."""
    studios = [make_studio(), make_studio()]
    key = studios[0].keys.add("ann", jobs_per_minute=3)
    clients = [studio.http(key) for studio in studios]
    with ThreadPoolExecutor(8) as pool:
        answers = pool.map(
            lambda number: clients[number % 2].post("/v1/videos", json={"prompt": "a fox"}),
            range(16),
        )
        codes = [answer.status_code for answer in answers]
    assert (codes.count(200), codes.count(429)) == (3, 13)
    assert len(studios[0].provider.submitted) == len(studios[0].tm.list_jobs()) == 3


def test_other_machines_need_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without one the server does not listen beyond loopback."""
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigurationError, match="serve keys add"):
        serve(ServeOptions(host="0.0.0.0", port=0), lambda _: pytest.fail("it listens"))


def test_the_last_key_leaves_no_open_door(make_studio: Callable[..., FakeStudio]) -> None:
    """Beyond loopback a server without keys answers to no request, as it would not start."""
    studio = make_studio(host="0.0.0.0")
    assert studio.http().get("/healthz").status_code == 200
    assert studio.http().get("/v1/videos").status_code == 401


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", "[::2]"])
def test_names_of_others_are_refused(studio: FakeStudio, host: str) -> None:
    """A website that points its name to 127.0.0.1 reads nothing."""
    answer = studio.http().get("/v1/videos", headers={"host": host})
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_host")


def test_a_name_can_be_allowed(make_studio: Callable[..., FakeStudio]) -> None:
    """Such as the one of a proxy."""
    studio = make_studio(allowed_hosts=("studio.example",))
    answer = studio.http().get("/v1/videos", headers={"host": "studio.example"})
    assert answer.status_code == 200


def test_other_websites_cannot_submit(studio: FakeStudio) -> None:
    """A form of another website reaches a server without keys, and is refused."""
    for headers in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}):
        answer = studio.http().post("/v1/videos", headers=headers, data={"prompt": "a fox"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "cross_site")
    assert studio.tm.list_jobs() == []
