"""``tiomagic serve --ui``: the page beside the API, for who has a key of the page."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from tests.ui.serving import PageProcess, serve_page

from tiomagic_domain.errors import ConfigurationError
from tiomagic_server.access.keys import ClientKeys
from tiomagic_server.options import ServeOptions
from tiomagic_server.serving import serve

if TYPE_CHECKING:
    from playwright.async_api import Page

pytestmark = pytest.mark.timeout(1800)
HTML = {"accept": "text/html"}


@dataclass
class Served:
    """A server with a page."""

    process: PageProcess
    keys: ClientKeys
    owner: str
    """A key that opens the page."""
    client: str
    """One that does not."""

    def http(self) -> httpx.Client:
        """Return a browser without cookies."""
        return visit_with_httpx(self.process)


def visit_with_httpx(process: PageProcess) -> httpx.Client:
    """Return a browser without cookies."""
    return httpx.Client(base_url=process.address, trust_env=False, timeout=240)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """A server with two keys."""
    folder = tmp_path_factory.mktemp("served")
    keys = ClientKeys(folder / ".tiomagic")
    owner, client = keys.add("owner", page=True), keys.add("client")
    with serve_page(folder, command=("serve", "--ui")) as process:
        yield Served(process, keys, owner, client)


@pytest.fixture
def visit_served(served: Served, tmp_path: Path) -> Callable[..., None]:
    """Visit the page of the server."""
    from tests.ui.visiting import NO_CHROMIUM, visit

    if NO_CHROMIUM:
        pytest.skip("there is no chromium; .ci/run installs it")
    return lambda scenario: visit(served.process, scenario, tmp_path)


def log_in(client: httpx.Client, key: str, **headers: str) -> httpx.Response:
    """Send the form."""
    return client.post("/login", data={"password": key}, headers={**HTML, **headers})


def test_both_answer_under_their_paths(served: Served) -> None:
    """The page has its own; the API has its own, and those that are none."""
    with served.http() as client:
        assert client.get("/healthz").json()["status"] == "ok"
        shown = {"authorization": f"Bearer {served.client}"}
        document = client.get("/openapi.json", headers=shown).json()
        assert client.get("/v1/videos", headers=shown).json()["data"] == []
        unknown = client.get("/docs", headers=shown)
        assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "not_found")
        # An API path that the page took would answer as the page does: with a policy.
        for path in [re.sub("{.*?}", "x", one) for one in document["paths"]] + ["/mcp"]:
            answer = client.get(path, headers=shown)
            assert "content-security-policy" not in answer.headers, path
        assert "content-security-policy" in client.get("/").headers


def test_only_a_key_of_the_page_opens_it(served: Served) -> None:
    """A client's key sees no job of others; neither does a header with a key of the page."""
    with served.http() as client:
        front = client.get("/", headers=HTML)
        assert "key of the page" in front.text
        assert "<script" not in front.text
        bearer = {"authorization": f"Bearer {served.owner}"}
        for path in ("/config", "/gradio_api/file=video/x", "/theme.css"):
            assert client.get(path).status_code == 401, path
            assert client.get(path, headers=bearer).status_code == 401, path
        plain = log_in(client, served.client)
        assert plain.status_code == 403
        assert "makes a key of its own for it" in plain.text
        assert client.get("/config").status_code == 401
        foreign = log_in(client, served.owner, origin="https://elsewhere.example")
        assert foreign.status_code == 403
        assert log_in(client, served.owner, host="elsewhere.example").status_code == 403
        done = log_in(client, served.owner)
        assert (done.status_code, done.headers["location"]) == (303, "./")
        cookie = done.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert served.owner.lower() not in cookie
        assert client.get("/config").json()["title"] == "tiomagic"
        assert client.get("/v1/videos").status_code == 401  # The cookie is no key.
        assert client.post("/logout", headers=HTML).status_code == 303
        assert client.get("/config").status_code == 401
        tls = log_in(client, served.owner, **{"x-forwarded-proto": "https"})
        assert "secure" in tls.headers["set-cookie"].lower()
    assert served.owner not in served.process.log


def test_a_login_ends_with_its_key(served: Served) -> None:
    """At once; another login goes on."""
    with served.http() as gone, served.http() as stays:
        assert log_in(gone, served.keys.add("gone", page=True)).status_code == 303
        assert log_in(stays, served.owner).status_code == 303
        assert gone.get("/config").status_code == 200
        served.keys.remove("gone")
        assert gone.get("/config").status_code == 401
        assert stays.get("/config").status_code == 200


def test_on_loopback_the_page_is_open_until_there_is_a_key(tmp_path: Path) -> None:
    """As the API is; a key that is made meanwhile closes both, and one for the API too."""
    with (
        serve_page(tmp_path, command=("serve", "--ui")) as process,
        visit_with_httpx(process) as client,
    ):
        assert client.get("/config").json()["title"] == "tiomagic"
        assert client.get("/v1/videos").status_code == 200
        foreign = {"origin": "https://elsewhere.example"}
        assert client.get("/config", headers=foreign).status_code == 403
        ClientKeys(tmp_path / ".tiomagic").add("client")
        assert client.get("/config").status_code == 401
        assert client.get("/v1/videos").status_code == 401


@pytest.mark.parametrize(
    ("options", "keys", "said"),
    [
        ({"host": "0.0.0.0"}, (), "keys add NAME --ui"),
        ({"host": "0.0.0.0"}, ("client",), "keys add NAME --ui"),
        ({}, ("client",), "keys add NAME --ui"),
        ({"workers": 2}, (), "one process"),
    ],
)
def test_no_page_stands_open_or_shut(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    keys: tuple[str, ...],
    said: str,
) -> None:
    """The server does not start, and says what to do."""
    monkeypatch.chdir(tmp_path)
    for name in keys:
        ClientKeys(tmp_path / ".tiomagic").add(name)
    with pytest.raises(ConfigurationError, match=said):
        serve(ServeOptions(port=0, ui=True, **options), lambda _: pytest.fail("it listens"))


def test_the_owner_logs_in_and_out_with_a_browser(
    served: Served, visit_served: Callable[..., None]
) -> None:
    """A client's key is refused in words; the right one opens the page, and the button ends it."""
    from playwright.async_api import expect

    async def scenario(page: Page) -> None:
        key = page.get_by_label("key of the page")
        await key.fill(served.client)
        await page.get_by_role("button", name="Login").click()
        await expect(page.get_by_role("alert")).to_contain_text("for the API only")
        await key.fill(served.owner)
        await page.get_by_role("button", name="Login").click()
        await expect(page.locator("#field-prompt")).to_be_visible()
        assert served.owner not in page.url
        await page.get_by_role("button", name="Log out").click()
        await expect(key).to_be_visible()

    visit_served(scenario)
