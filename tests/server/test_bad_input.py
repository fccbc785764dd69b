"""What is broken, wrong or hostile: an answer 4xx with the error object, and nothing is stored."""

from __future__ import annotations

import json
import socket
import struct
import tracemalloc
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import pytest
from starlette import formparsers
from tests.server.conftest import MODEL
from tests.server.pictures import picture

if TYPE_CHECKING:
    from tests.server.conftest import FakeStudio

FORM = "multipart/form-data; boundary=xyz"
PART = b'--xyz\r\nContent-Disposition: form-data; name="prompt"\r\n\r\na fox\r\n'
END = b"--xyz--\r\n"
BODIES: dict[str, tuple[str, bytes, int]] = {
    "a form without its end": (FORM, PART + b"--xy", 400),
    "a form that ends between two fields": (FORM, PART, 400),
    "a form that ends within its last field": (FORM, PART + PART[:-6], 400),
    "a form that ends within its picture": (
        FORM,
        PART + PART.replace(b'"prompt"', b'"image"; filename="a.png"')[:-2],
        400,
    ),
    "a form with a picture of no bytes": (
        FORM,
        PART + PART.replace(b'"prompt"', b'"image"; filename=""').replace(b"a fox", b"") + END,
        400,
    ),
    "a form in an encoding that fails": (f"{FORM}; charset=undefined", PART + END, 415),
    "a form in an encoding for names": (
        f"{FORM}; charset=punycode",
        PART.replace(b"a fox", b"\xff" * 99) + END,
        415,
    ),
    "a place of very many digits": (
        "application/x-www-form-urlencoded",
        b"prompt=a&frame_images[" + b"9" * 6000 + b"]=1",
        400,
    ),
    "a form without a boundary": ("multipart/form-data", PART, 400),
    "a form of other things": (FORM, b"hello", 400),
    "a part without a name": (FORM, b"--xyz\r\n\r\na\r\n--xyz--\r\n", 400),
    "too many fields": (
        "application/x-www-form-urlencoded",
        b"&".join(b"f%d=1" % number for number in range(600)),
        400,
    ),
    "brackets that do not match": ("application/x-www-form-urlencoded", b"prompt=a&a[b=1", 400),
    "brackets without end": (
        "application/x-www-form-urlencoded",
        b"prompt=a&a" + b"[b]" * 400 + b"=1",
        400,
    ),
    "a value and a field of it": (
        "application/x-www-form-urlencoded",
        b"prompt=a&seed=1&seed[b]=2",
        400,
    ),
    "no JSON": ("application/json", b'{"prompt": ', 400),
    "JSON that is no object": ("application/json", b"[1]", 400),
    "JSON with NaN": ("application/json", b'{"prompt": "a", "seed": NaN}', 400),
    "JSON without an end": ("application/json", b"[" * 100_000, 400),
    "JSON in another encoding": ("application/json", b'{"prompt": "\xff\xfe"}', 400),
    "half a character": ("application/json", b'{"prompt": "\\ud800"}', 400),
    "half a character in a name": ("application/json", b'{"prompt": "a", "\\ud800": 1}', 400),
    "an integer of 5,000 digits": ("application/json", b'{"seed": %s}' % (b"1" * 5000), 400),
    "fields that are nested deeper than any": (
        "application/json",
        b'{"image": ' + b'{"url": ' * 5000 + b"1" + b"}" * 5000 + b"}",
        400,
    ),
    "a compressed body": ("application/json", zlib.compress(b'{"prompt": "a"}'), 400),
    "another type": ("text/plain", b"prompt=a", 415),
    "JSON that says it is a form": (
        "application/x-www-form-urlencoded",
        b'{"prompt": "a fox", "seed": 1}',
        415,
    ),
    "an object of very many small parts": (
        "application/json",
        b'{"prompt": "a", "seed": [' + b"{}," * 200_000 + b"{}]}",
        400,
    ),
    "a field of very many small parts": (
        "application/x-www-form-urlencoded",
        b"prompt=a&acceleration={" + b",".join(b'"a%d":1' % n for n in range(50_000)) + b"}",
        400,
    ),
    "a text without an end": ("application/json", b'{"prompt": "' + b'\\"' * 500_000, 400),
    "nothing": ("application/json", b"", 400),
}


@pytest.mark.parametrize("name", BODIES)
def test_a_broken_body(studio: FakeStudio, name: str) -> None:
    """Whatever it is, it is the sender's mistake and says so."""
    kind, body, status = BODIES[name]
    answer = studio.http().post("/v1/videos", content=body, headers={"content-type": kind})
    assert answer.status_code == status, answer.text
    assert set(answer.json()["error"]) >= {"message", "type", "param", "code"}
    assert studio.tm.list_jobs() == []


LONG: dict[str, dict[str, Any]] = {
    "a model": {"model": "a" * 1_000_000},
    "a feature": {"feature": "a" * 1_000_000},
    "a field": {"a" * 1_000_000: 1},
    "a field of a field": {"acceleration": {"a" * 1_000_000: 1}},
    "a word": {"quality": "a" * 1_000_000},
    "a size": {"size": "a" * 1_000_000},
    "very many fields": {f"field_{number}": 1 for number in range(490)},
}


@pytest.mark.parametrize("name", LONG)
def test_an_error_does_not_grow_with_what_was_sent(studio: FakeStudio, name: str) -> None:
    """It repeats the beginning of a long name, and looks for what was meant in short ones only."""
    answer = studio.http().post("/v1/videos", json={"prompt": "a fox"} | LONG[name])
    assert answer.status_code == 400
    assert len(answer.content) < 100_000, answer.text[:500]
    assert studio.tm.list_jobs() == []


def test_json_with_a_large_picture_is_read_in_little_memory(studio: FakeStudio) -> None:
    """A reader that remembers each character of a text takes a hundred times its length."""
    body = b'{"prompt": "a", "seed": "no", "image": "data:image/png;base64,%s"}' % (b"A" * 2**22)
    tracemalloc.start()
    try:
        answer = studio.http().post(
            "/v1/videos", content=body, headers={"content-type": "application/json"}
        )
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert answer.status_code == 400
    assert answer.json()["error"]["param"] in {"seed", "image"}
    assert most < 20 * len(body)


FIELDS: dict[str, tuple[dict[str, Any], str]] = {
    "no prompt": ({}, "prompt"),
    "an unknown model": ({"prompt": "a", "model": "sora-9"}, "model"),
    "a model that is a number": ({"prompt": "a", "model": 5}, "model"),
    "a prompt that is a list": ({"prompt": ["a"]}, "prompt"),
    "a further parameter that contradicts": (
        {"prompt": "a", "seed": 1, "extra_params": {"seed": 2}},
        "extra_params.seed",
    ),
    "a further parameter that contradicts by another name": (
        {"prompt": "a", "seconds": 1, "extra_params": {"duration": 2}},
        "duration",
    ),
    "an unknown field": ({"prompt": "a", "promt": "b"}, "promt"),
    "a prompt of a book": ({"prompt": "a" * 40_000}, "prompt"),
    "a number beyond all": ({"prompt": "a", "width": 10**30}, "width"),
    "a length beyond all": ({"prompt": "a", "seconds": 1e308}, "seconds"),
    "a text that means no number": ({"prompt": "a", "seed": "nan"}, "seed"),
    "this machine as a number": ({"prompt": "a", "image": "http://2130706433/x"}, "image"),
    "this machine within IPv6": ({"prompt": "a", "image": "http://[::ffff:127.0.0.1]/"}, "image"),
    "this machine by its name": ({"prompt": "a", "image": "http://localhost/x"}, "image"),
    "an address that is none": ({"prompt": "a", "image": "http://[::1/"}, "image"),
    "a text for a number": ({"prompt": "a", "seed": "seven"}, "seed"),
    "a switch for a number": ({"prompt": "a", "seed": True}, "seed"),
    "two videos": ({"prompt": "a", "n": 2}, "n"),
    "a path": ({"prompt": "a", "image": "/etc/passwd"}, "image"),
    "a path as an address": ({"prompt": "a", "image": "file:///etc/passwd"}, "image"),
    "a path in an object": ({"prompt": "a", "image": {"url": "../x.png"}}, "image"),
    "a kept input of somebody": ({"prompt": "a", "image": {"sha256": "0" * 64}}, "image"),
    "an object without end": (
        {"prompt": "a", "image": {"url": {"url": {"url": {"url": {"url": "x"}}}}}},
        "image",
    ),
    "a video that is not there": (
        {"prompt": "a", "image": {"id": "00000000-0000-4000-8000-000000000000"}},
        "image",
    ),
    "an address of this machine": ({"prompt": "a", "image": "http://127.0.0.1:1/x.png"}, "image"),
    "an address of the cloud": (
        {"prompt": "a", "image": "http://169.254.169.254/latest/meta-data"},
        "image",
    ),
    "an address with another scheme": ({"prompt": "a", "image": "ftp://example.com/x"}, "image"),
    "text as a picture": ({"prompt": "a", "image": "data:image/png;base64,aGVsbG8="}, "image"),
    "weights": ({"prompt": "a", "loras": [{"source": "/etc/passwd"}]}, "loras"),
    "files of weights": ({"prompt": "a", "weights": {"transformer": "/x.gguf"}}, "weights"),
    "a commit": ({"prompt": "a", "revisions": {"a/b": "0"}}, "revisions"),
    "frames that are no list": ({"prompt": "a", "frame_images": "x"}, "frame_images"),
    "a frame of no kind": (
        {"prompt": "a", "frame_images": [{"image_url": "https://x.example/a.png"}]},
        "frame_images[0]",
    ),
    "an object of Python": ({"prompt": "a", "latents": [1, 2]}, "latents"),
    "a callback": ({"prompt": "a", "callback_url": "http://10.0.0.1/"}, "callback_url"),
}


@pytest.mark.parametrize("name", FIELDS)
def test_a_wrong_field(studio: FakeStudio, name: str) -> None:
    """The error names it."""
    fields, param = FIELDS[name]
    answer = studio.http().post("/v1/videos", json=fields)
    assert answer.status_code == 400, answer.text
    assert answer.json()["error"]["param"] == param
    assert str(studio.tm.settings.working_dir) not in answer.text
    assert studio.tm.list_jobs() == []


@pytest.mark.parametrize("end", [END, END.strip(), END + b"\r\nafter it"])
@pytest.mark.parametrize("kind", [FORM, f"{FORM}; charset=UTF-8"])
def test_a_form_with_its_end_is_whole(studio: FakeStudio, kind: str, end: bytes) -> None:
    """With a line after the last boundary or without, as different clients write it."""
    answer = studio.http().post("/v1/videos", content=PART + end, headers={"content-type": kind})
    assert answer.status_code == 200, answer.text


def test_texts_of_a_form_are_bounded_together(studio: FakeStudio, monkeypatch: Any) -> None:
    """They are kept in memory; files are not."""
    monkeypatch.setattr("tiomagic_server.asking.bodies.MAX_JSON_BYTES", 2**20)
    fields = {f"f{number}": "x" * 2**18 for number in range(6)}
    answer = studio.http().post("/v1/videos", data=fields, files={"image": b"x" * 2**22})
    assert answer.status_code == 400
    assert "no files may have 1 MiB together" in answer.json()["error"]["message"]


def test_a_file_that_is_no_picture(studio: FakeStudio) -> None:
    """Its bytes are looked at, whatever its name says."""
    for content in (b"", b"hello", picture()[:40]):
        files = {"input_reference": ("fox.png", content, "image/png")}
        answer = studio.http().post("/v1/videos", data={"prompt": "a fox"}, files=files)
        assert answer.status_code == 400, answer.text
        assert answer.json()["error"]["param"] == "input_reference"
    assert studio.tm.list_jobs() == []


def test_a_picture_that_is_large_when_it_is_unpacked(studio: FakeStudio) -> None:
    """200 KB of PNG with 1.6 billion pixels: its size is read before its pixels."""
    files = {"input_reference": ("fox.png", black_png(40_000), "image/png")}
    answer = studio.http().post("/v1/videos", data={"prompt": "a fox"}, files=files)
    assert answer.status_code == 400, answer.text
    assert "pixels" in answer.json()["error"]["message"]
    assert studio.tm.list_jobs() == []


def black_png(side: int) -> bytes:
    """Return a black picture with one bit a pixel."""
    packing, row = zlib.compressobj(9), bytes(side // 8 + 1)
    rows = b"".join([*(packing.compress(row) for _ in range(side)), packing.flush()])
    header = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", rows), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux has a file that is full")
def test_a_disk_without_room_for_an_upload(
    studio: FakeStudio, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client learns that it is no fault of its request, and no folder of the server."""

    def open_full_disk(**_: object) -> BinaryIO:
        return Path("/dev/full").open("wb", buffering=0)

    monkeypatch.setattr(formparsers, "SpooledTemporaryFile", open_full_disk)
    answer = studio.http().post(
        "/v1/videos",
        data={"prompt": "a fox", "model": MODEL},
        files={"input_reference": ("fox.png", picture("red"), "image/png")},
    )
    assert answer.status_code == 507
    assert answer.json()["error"]["code"] == "disk_full"
    assert "/dev/full" not in answer.text
    assert studio.tm.list_jobs() == []


def test_a_body_beyond_the_limit(make_studio: Callable[..., FakeStudio]) -> None:
    """Announced or not; the rest of it is not read."""
    studio = make_studio(max_body_mib=1)
    large = b"x" * (3 * 2**20)

    def pieces() -> Any:
        for _ in range(48):
            yield b"x" * 2**16

    for content in (large, pieces()):
        answer = studio.http().post(
            "/v1/videos", content=content, headers={"content-type": "application/json"}
        )
        assert answer.status_code == 413
        assert answer.json()["error"]["code"] == "too_large"


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", "a/b"])
def test_what_is_read_as_a_whole_has_a_smaller_limit(studio: FakeStudio, kind: str) -> None:
    """Only the files of a form go to the disk as they arrive; nothing of the rest is read."""
    head = f"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: {kind}\r\n"
    answer = talk(studio, head.encode() + b"Content-Length: %d\r\n\r\n{" % (65 * 2**20))
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"64 MiB; send files as multipart/form-data" in answer


def test_a_slow_body_ends(make_studio: Callable[..., FakeStudio], monkeypatch: Any) -> None:
    """A client that stops in the middle gets an answer, and the connection ends."""
    monkeypatch.setattr("tiomagic_server.access.bodies.SILENCE_TIMEOUT_S", 0.2)
    studio = make_studio()
    head = b"POST /v1/videos HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    answer = talk(studio, head + b"Content-Length: 100\r\n\r\n{")
    assert answer.startswith(b"HTTP/1.1 408")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error"]["type"] == "invalid_request_error"


def test_a_connection_that_sends_nothing_ends(
    make_studio: Callable[..., FakeStudio], monkeypatch: Any
) -> None:
    """Nor one that never ends its headers; others are served meanwhile."""
    monkeypatch.setattr("tiomagic_server.access.connections.HEADERS_TIMEOUT_S", 0.3)
    studio = make_studio()
    assert talk(studio, b"") == b""
    assert talk(studio, b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-A: ") == b""
    assert studio.http().get("/healthz").status_code == 200


PATHS = (
    *("/", "/v1/nothing", "/v1/videos/x", "/v1/videos/%00/content", "/v1/videos/%ff"),
    *("/v1/videos/..%2f..%2fetc%2fpasswd", "/v1/videos/..%2f..%2fetc%2fpasswd/content"),
    *("/v1/videos/%2e%2e/content", "/v1/videos/" + "a" * 8000, "/v1/videos/x/events"),
)


@pytest.mark.parametrize("path", PATHS)
def test_what_is_not_there(studio: FakeStudio, path: str) -> None:
    """It is a 404 in the form that clients read."""
    answer = studio.http().get(path)
    assert answer.status_code == 404
    assert answer.json()["error"]["type"] == "not_found_error"
    assert len(answer.text) < 500


def test_a_method_that_is_none(studio: FakeStudio) -> None:
    """The same for a wrong method."""
    for path, methods in (
        ("/v1/videos", "GET, POST"),
        ("/api/v1/videos", "POST"),
        ("/mcp", "POST"),
    ):
        answer = studio.http().put(path)
        error = answer.json()["error"]
        code = error["metadata"]["code"] if path.startswith("/api/") else error["code"]
        assert (answer.status_code, code) == (405, "method_not_allowed")
        assert answer.headers["allow"] == methods
        assert error["message"].endswith(f"it has {methods}")


@pytest.mark.parametrize(("given", "status"), [("pages=1", 400), ("bytes=999999-", 416)])
def test_a_part_that_is_none(studio: FakeStudio, given: str, status: int) -> None:
    """The same for a header Range, with the size of the file."""
    http = studio.http()
    video = http.post("/v1/videos", json={"prompt": "a fox"}).json()["id"]
    studio.provider.finish(video)
    assert http.get(f"/v1/videos/{video}").json()["status"] == "completed"
    part = http.get(f"/v1/videos/{video}/content", headers={"range": "bytes=0-4"})
    assert (part.status_code, part.text) == (206, "a vid")
    answer = http.get(f"/v1/videos/{video}/content", headers={"range": given})
    error = answer.json()["error"]
    assert (answer.status_code, error["param"]) == (status, "Range")
    size = part.headers["content-range"].rpartition("/")[2]
    assert answer.headers.get("content-range") == (f"bytes */{size}" if status == 416 else None)
    answer = http.get(f"/api/v1/videos/{video}/content", headers={"range": given})
    assert answer.json()["error"]["code"] == status
    head = http.head(f"/v1/videos/{video}/content", headers={"range": given})
    assert (head.status_code, head.content) == (status, b"")


@pytest.mark.parametrize("query", ["limit=0", "limit=101", "limit=x", "order=up", "after=x"])
def test_a_query_that_is_none(studio: FakeStudio, query: str) -> None:
    """The same for a query."""
    answer = studio.http().get(f"/v1/videos?{query}")
    assert answer.status_code in {400, 404}
    assert answer.json()["error"]["message"]


def open_socket(studio: FakeStudio) -> socket.socket:
    """Return a plain connection."""
    host, _, port = studio.url.removeprefix("http://").partition(":")
    made = socket.create_connection((host, int(port)), timeout=60)
    studio.clients.enter_context(made)
    return made


def talk(studio: FakeStudio, sent: bytes) -> bytes:
    """Send some bytes, and return all that comes until the server ends the connection."""
    connection = open_socket(studio)
    found = b""
    try:
        connection.sendall(sent)
        while part := connection.recv(65536):
            found += part
    except ConnectionError:
        pass
    return found


@pytest.mark.parametrize(
    ("path", "call", "field"),
    [
        ("/v1/videos/extensions", lambda video: {"video": video, "prompt": "it goes on"}, "video"),
        (
            "/v1/videos",
            lambda video: {
                "prompt": "a fox",
                "first_frame": video,
                "keyframes": [{"image": video, "at": 0.5}],
            },
            "keyframes[0].image",
        ),
    ],
)
def test_a_video_that_cannot_be_read_is_named_as_the_client_named_it(
    studio: FakeStudio, path: str, call: Callable[[str], dict[str, Any]], field: str
) -> None:
    """By its id: where the server keeps its files is nothing for a client."""
    http = studio.http()
    made = http.post("/v1/videos", json={"prompt": "a fox"}).json()["id"]
    job = studio.tm.get_job(made).wait()
    Path(str(job.result_video)).write_bytes(b"no video any more")
    answer = http.post(path, json=call(made))
    assert answer.status_code == 400, answer.text
    problems = {one["field"]: one for one in answer.json()["error"]["problems"]}
    assert made in problems[field]["given"]
    assert str(job.result_video) not in answer.text
    assert "Path(" not in answer.text
