"""Every request passes the gate: a real server over a page that says what has reached it."""

import json
import os
import re
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from tiomagic.ui.web import middleware
from tiomagic.ui.web.files import ServedFiles
from tiomagic.ui.web.login import Login, PasswordCredentials
from tiomagic.ui.web.middleware import SecurityMiddleware
from tiomagic.ui.web.origins import AllowedHosts
from tiomagic.ui.web.server import Server, listen
from tiomagic.ui.web.uploads import Uploads
from tiomagic_domain.testing import MemoryJobRepository, make_job


async def echo_page(scope: Any, receive: Any, send: Any) -> None:
    """A page that is as open as can be, and answers with what it was asked."""
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": f"{message['type']}.complete"})
            if message["type"] == "lifespan.shutdown":
                return
    if scope["path"] == "/theme.css":
        raise RuntimeError("the page has failed")
    body = (await receive())["body"] if scope["method"] == "POST" else b""
    told = {
        "path": scope["path"],
        "query": scope["query_string"].decode(),
        "headers": {name.decode(): value.decode() for name, value in scope["headers"]},
        "body": body.decode(),
    }
    headers = [
        (b"content-type", b"application/json"),
        (b"access-control-allow-origin", b"*"),
        (b"access-control-allow-credentials", b"true"),
        (b"x-frame-options", b"ALLOWALL"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(told).encode()})


Open = Callable[..., httpx.Client]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Open]:
    """Serve the page, with a login or without, and give a browser that visits it."""
    with ExitStack() as stack:

        def run(*, login: bool = False) -> httpx.Client:
            return stack.enter_context(open_client(tmp_path, login=login))

        yield run


@contextmanager
def open_client(folder: Path, *, login: bool) -> Iterator[httpx.Client]:
    """A client of a served page with one job, whose video is there, and a folder of secrets."""
    jobs = MemoryJobRepository()
    video = folder / "out" / "clip.mp4"
    video.parent.mkdir()
    video.write_bytes(b"0123456789")
    (folder / "out" / ".env").write_text("HF_TOKEN=secret")
    jobs.add(make_job(job_id="done", result_video=str(video)))
    uploads = Uploads(folder / "uploads")
    guarded = SecurityMiddleware(
        echo_page,
        names=AllowedHosts.of("127.0.0.1", ["studio.example"]),
        login=Login(PasswordCredentials("ada", "lemon-tree"), lambda: 0.0) if login else None,
        uploads=uploads,
        files=ServedFiles(jobs.get, folder / "inputs", uploads),
        cookie="tiomagic-test",
    )
    server = Server(guarded, listen("127.0.0.1", 0))
    server.start()
    try:
        address = f"http://127.0.0.1:{server.port}"
        with httpx.Client(base_url=address, trust_env=False, timeout=60) as client:
            yield client
    finally:
        server.close()


FORBIDDEN_PATHS = [
    "/etc/passwd",
    "//etc/passwd",
    "/file=/etc/passwd",
    "/gradio_api/file/etc/passwd",
    "/gradio_api/file=/etc/passwd",
    "/gradio_api/file=%2Fetc%2Fpasswd",
    "/gradio_api/file=..%2F..%2Fetc%2Fpasswd",
    "/gradio_api/file=upload/%2e%2e/x",
    "/gradio_api/file=video/..%2fdone",
    "/gradio_api/file=input/*",
    "/gradio_api/file=http://127.0.0.1/",
    "/gradio_api/file=https://example.org/a.png",
    "/gradio_api/file=",
    "/gradio_api/proxy=http://x.hf.space/",
    "/proxy=http://x.hf.space/",
    "/gradio_api/deep_link?session_hash=a",
    "/assets/%2e%2e/index.html",
    "/assets/..%2findex.html",
    "/assets/.hidden",
    "/assets//",
    "/static/%252e%252e/x",
    "/static/..%5c..%5cx",
    "/svelte/a/../../x",
    "/gradio_api/info",
    "/gradio_api/openapi.json",
    "/openapi.json",
    "/docs",
    "/redoc",
    "/monitoring",
    "/monitoring/summary",
    "/monitoring/a/dashboard",
    "/gradio_api/monitoring",
    "/gradio_api/run/_open",
    "/gradio_api/api/_open",
    "/gradio_api/call/_open",
    "/gradio_api/call/v2/_open",
    "/gradio_api/call/_open/1",
    "/gradio_api/queue/status",
    "/gradio_api/startup-events",
    "/gradio_api/app_id",
    "/gradio_api/token",
    "/gradio_api/user",
    "/gradio_api/login_check",
    "/gradio_api/dev/reload",
    "/dev/reload",
    "/gradio_api/component_server",
    "/gradio_api/stream/a",
    "/gradio_api/stream/a/b/1/playlist.m3u8",
    "/gradio_api/stream/a/b/1/playlist-file",
    "/gradio_api/custom_component/a/client/b/c",
    "/gradio_api/process_recording",
    "/gradio_api/runs",
    "/gradio_api/run-history/records",
    "/gradio_api/mcp/sse",
    "/gradio_api/vibe-editor",
    "/gradio_api/cancel",
    "/gradio_api/reset",
    "/pwa_icon",
    "/pwa_icon/1",
    "/manifest.json",
    "/robots.txt",
    "/config/",
    "/theme.css/",
    "/.env",
    "/gradio_api/heartbeat/",
    "/gradio_api/heartbeat/a/b",
    "/logout/",
    "/GRADIO_API/file=video/done",
    "/gradio_api//file=video/done",
    "/gradio_api/file=video/done/",
    "/login/x",
]


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_what_is_not_listed_does_not_exist(method: str, opened: Open) -> None:
    """None of the framework's other doors is reached, in any spelling and by any method."""
    client = opened()
    answers = {path: client.request(method, path) for path in FORBIDDEN_PATHS}
    reached = {path: str(a.status_code) for path, a in answers.items() if a.status_code < 400}
    assert reached == {}
    assert not [path for path, a in answers.items() if "passwd" in a.text or "secret" in a.text]


def test_the_page_gets_what_it_needs_and_no_more(opened: Open) -> None:
    """No query, no cookie, no word of a proxy but that it has TLS, and nothing of its own."""
    client = opened()
    sent = {
        "Cookie": "access-token=x",
        "Forwarded": "host=elsewhere.example",
        "X-Gradio-Server": "http://elsewhere.example",
        "X-Forwarded-For": "10.0.0.1",
        "X-Forwarded-Host": "studio.example",
        "X-Forwarded-Proto": "https",
        "Origin": "https://studio.example",
    }
    told = client.get("/config?deep_link=x&page=y", headers=sent).json()
    assert (told["path"], told["query"]) == ("/config", "")
    assert told["headers"]["host"] == "studio.example"
    assert told["headers"]["x-forwarded-proto"] == "https"
    assert not {"cookie", "forwarded", "x-gradio-server", "x-forwarded-for", "origin"} & set(
        told["headers"]
    )
    told = client.get("/gradio_api/queue/data?session_hash=abc&other=1").json()
    assert told["query"] == "session_hash=abc"


def test_a_call_is_cleaned(opened: Open) -> None:
    """What the page gets is plain data; what is none never reaches it."""
    client = opened()
    call = {"data": [{"path": "a", "url": "b"}, "\ud83d"], "fn_index": 1, "session_hash": "abc"}
    body = json.dumps({**call, "oauth_token": "x"})
    sent = {"Content-Type": "application/json"}
    told = client.post("/gradio_api/queue/join", content=body, headers=sent).json()
    assert json.loads(told["body"]) == {
        "data": [{"path": "a"}, "\ufffd"],
        "fn_index": 1,
        "session_hash": "abc",
        "event_data": None,
    }
    assert int(told["headers"]["content-length"]) == len(told["body"])
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        answer = client.post("/gradio_api/queue/join", content=body, headers={"Content-Type": kind})
        assert answer.status_code == 415, kind
    for wrong in ({**call, "session_hash": "../x"}, {**call, "session_hash": None}, [], {}):
        answer = client.post("/gradio_api/queue/join", content=json.dumps(wrong), headers=sent)
        assert answer.status_code == 422
    answer = client.post("/gradio_api/queue/join", content=b" " * (3 * 2**20), headers=sent)
    assert answer.status_code == 413


def test_every_answer_is_closed_to_others(opened: Open) -> None:
    """No other origin is let in and no frame, whatever the page itself says, in errors too."""
    client = opened()
    for path in ("/", "/config", "/nowhere", "/theme.css", "/gradio_api/file=video/done"):
        headers = client.get(path).headers
        assert headers["x-frame-options"] == "DENY", path
        assert "frame-ancestors 'none'" in headers["content-security-policy"], path
        assert headers["x-content-type-options"] == "nosniff", path
        assert not [name for name in headers if name.startswith("access-control-")], path
    assert client.get("/theme.css").status_code == 500
    assert client.get("/").status_code == 200


def test_other_names_and_other_websites_are_refused(opened: Open) -> None:
    """At every door, before anything is read."""
    client = opened()
    doors = [
        *(("GET", "/config"), ("GET", "/gradio_api/file=video/done"), ("POST", "/login")),
        *(("GET", "/gradio_api/heartbeat/abc"), ("POST", "/gradio_api/queue/join")),
        *(("POST", "/gradio_api/upload"), ("GET", "/gradio_api/queue/data?session_hash=abc")),
    ]
    foreign = [
        *({"Host": "rebound.example"}, {"X-Forwarded-Host": "rebound.example"}),
        *({"Origin": "https://elsewhere.example"}, {"Origin": "null"}),
        *({"Sec-Fetch-Site": "cross-site"}, {"Referer": "https://elsewhere.example/"}),
    ]
    for method, path in doors:
        for headers in foreign:
            sent = {"files": ("a.png", b"x" * 100_000)} if method == "POST" else None
            answer = client.request(method, path, headers=headers, files=sent)
            assert answer.status_code == 403, (method, path, headers)


def test_a_socket_of_the_web_is_not_opened(opened: Open) -> None:
    """The page has none."""
    client = opened()
    host = f"127.0.0.1:{client.base_url.port}"
    request = (
        f"GET /gradio_api/queue/join HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\n"
        "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), 60) as raw:
        raw.sendall(request.encode())
        assert raw.recv(100).split()[1] in {b"403", b"405"}


def test_files_are_given_by_id(opened: Open) -> None:
    """A job's video, in parts as well; what was sent comes back as it was, and runs nothing."""
    client = opened()
    video = client.get("/gradio_api/file=video/done?held-back", headers={"Range": "bytes=2-4"})
    assert (video.status_code, video.content) == (206, b"234")
    assert video.headers["content-type"] == "video/mp4"
    page = b"<script>alert(1)</script>"
    for name, kind in (("a.html", "octet-stream"), ("a.svg", "octet-stream"), ("a.png", "png")):
        sent = client.post("/gradio_api/upload", files={"files": (name, page)})
        assert re.fullmatch(rf"upload/[0-9a-f]{{32}}/{name}", sent.json()[0])
        back = client.get(f"/gradio_api/file={sent.json()[0]}")
        assert back.content == page
        assert back.headers["content-type"].endswith(kind)
        assert back.headers["content-disposition"].startswith(
            "inline" if kind == "png" else "attachment"
        )
        assert "sandbox" in back.headers["content-security-policy"]


def test_an_upload_is_one_whole_file(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a size that is said beforehand; what is something else leaves nothing behind."""
    monkeypatch.setattr(middleware, "DRAIN_TIMEOUT_S", 0.1)  # For the bytes that never come.
    client = opened()
    two = [("files", ("a.png", b"x")), ("files", ("b.png", b"y"))]
    assert client.post("/gradio_api/upload", files=two).status_code == 413
    assert client.post("/gradio_api/upload", data={"a": "b"}).status_code == 415
    form = {"Content-Type": "multipart/form-data; boundary=x"}
    head = b'--x\r\nContent-Disposition: form-data; name="f"; filename="a.png"\r\n\r\n'
    for body in (b"", b"x", head, head + b"abc", head + b"abc\r\n--x", b"--x\r\n\r\nabc\r\n--x--"):
        answer = client.post("/gradio_api/upload", content=body, headers=form)
        assert answer.status_code == 400, body
    long = {"Content-Type": f"multipart/form-data; boundary={'x' * 5000}"}
    assert client.post("/gradio_api/upload", content=b"x", headers=long).status_code == 400
    unsaid = client.post("/gradio_api/upload", content=iter([head]), headers=form)
    assert unsaid.status_code == 411
    huge = {**form, "Content-Length": str(10**12)}
    with socket.create_connection(("127.0.0.1", client.base_url.port or 0), 60) as raw:
        lines = [f"{name}: {value}" for name, value in huge.items()]
        raw.sendall(
            "\r\n".join(
                ["POST /gradio_api/upload HTTP/1.1", "Host: localhost", *lines, "", ""]
            ).encode()
        )
        assert raw.recv(100).split()[1] == b"413"
    assert [path for path in (tmp_path / "uploads").rglob("*") if path.is_file()] == []


def test_nothing_is_given_without_a_login(opened: Open) -> None:
    """The question is all that there is to see; the cookie is for this page alone."""
    client = opened(login=True)
    for path in ("/config", "/gradio_api/file=video/done", "/assets/x.js", "/theme.css"):
        assert client.get(path).status_code == 401, path
    for path in ("/gradio_api/upload", "/gradio_api/queue/join", "/logout"):
        assert client.post(path).status_code == 401, path
    front = client.get("/")
    assert "<script" not in front.text
    assert "deep" not in front.text
    for answer in ({}, {"username": "ada"}, {"username": ["ada", "x"], "password": "lemon"}):
        assert client.post("/login", data=answer).status_code == 400
    assert client.get("/config").status_code == 401


def test_the_cookie_of_a_login_is_no_other_websites(opened: Open) -> None:
    """Not sent along by others, not read by scripts, by TLS alone where that is spoken."""
    client = opened(login=True)
    right = {"username": "ada", "password": "lemon-tree"}
    plain = client.post("/login", data=right).headers["set-cookie"].lower()
    assert "httponly" in plain
    assert "samesite=strict" in plain
    assert "secure" not in plain
    assert client.get("/config").status_code == 200
    sent = {"X-Forwarded-Proto": "https", "X-Forwarded-Host": "studio.example"}
    assert "secure" in client.post("/login", data=right, headers=sent).headers["set-cookie"].lower()
    person = client.post("/login", data=right, headers={"Accept": "text/html"})
    assert (person.status_code, person.headers["location"]) == (303, "./")
    foreign = {"Origin": "https://elsewhere.example"}
    assert client.get("/config", headers=foreign).status_code == 403
    assert client.post("/logout").status_code == 200
    client.cookies.clear()
    assert client.get("/config").status_code == 401


def test_wrong_answers_have_to_wait(opened: Open) -> None:
    """After three, with the right answer as well, whatever address a header claims."""
    client = opened(login=True)
    wrong = {"username": "ada", "password": "<b>x</b>"}
    answers = []
    for number in range(5):
        claim = {"X-Forwarded-For": f"10.0.0.{number}", "Accept": "text/html"}
        answers.append(client.post("/login", data=wrong, headers=claim))
    assert [answer.status_code for answer in answers] == [400, 400, 400, 429, 429]
    assert all("<b>" not in answer.text for answer in answers)
    right = client.post("/login", data={"username": "ada", "password": "lemon-tree"})
    assert right.status_code == 429
    assert int(right.headers["retry-after"]) >= 1


def test_old_uploads_go_while_the_page_is_used(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A page may be served for months: it does not wait for the next upload or start."""
    client = opened()
    sent = client.post("/gradio_api/upload", files={"files": ("a.png", b"x")}).json()[0]
    folder = tmp_path / "uploads" / sent.split("/")[1]
    long_ago = time.time() - 25 * 3600
    for path in (folder / "a.png", folder):
        os.utime(path, (long_ago, long_ago))
    assert client.get("/config").status_code == 200
    assert folder.exists()
    monkeypatch.setattr(middleware, "CLEANUP_INTERVAL_S", 0.0)
    assert client.get("/config").status_code == 200
    assert not folder.exists()
