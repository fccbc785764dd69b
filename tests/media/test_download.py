"""Downloads: bounded in every way, and only from where they may come."""

from __future__ import annotations

import gzip
import hashlib
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.media.files import png
from tests.media.web import Web, running_web

from tiomagic_domain.errors import ValidationError
from tiomagic_domain.media import MediaKind
from tiomagic_media import LocalMediaReader, MediaLimits
from tiomagic_media.fetch import download, network

LOOPBACK = {"pictures.example": ["127.0.0.1"]}


def names(table: dict[str, list[str]]) -> Callable[[str, int], list[str]]:
    """Return a resolver with a fixed table; literal addresses are themselves."""

    def resolve(host: str, port: int) -> list[str]:
        if host in table:
            return table[host]
        return [str(entry[4][0]) for entry in socket.getaddrinfo(host, port)]

    return resolve


@pytest.fixture
def web() -> Iterator[Web]:
    """Give a server on loopback."""
    with running_web() as running:
        yield running


@pytest.fixture
def fetch(inputs):
    """Give a function that reads a picture from an address, loopback allowed."""

    def read(address: str, *, private: bool = True, table=None, **limits):
        reader = LocalMediaReader(
            inputs,
            allow_private_addresses=private,
            limits=MediaLimits(**{"pause_seconds": 0.001} | limits),
            resolver=names(table or {}),
        )
        return reader.read(address, MediaKind.IMAGE)

    return read


def refused(fetch, address, **kwargs) -> ValidationError:
    """Return the error of an address that must be refused."""
    with pytest.raises(ValidationError) as caught:
        fetch(address, **kwargs)
    return caught.value


def test_a_picture_is_fetched_and_kept(fetch, web, inputs):
    """The plain case: bytes, name and size are those of the server's file."""
    media = fetch(web.add("/art/a%20cat.png?size=9", png(20, 10)))
    assert (media.width, media.height, media.name) == (20, 10, "a cat.png")
    assert media.read_bytes() == png(20, 10)
    assert [path.name for path in inputs.iterdir()] == [media.path.name]


def test_a_name_is_resolved_and_still_sent_as_host(fetch, web):
    """The connection goes to the checked address, the request names the host."""
    web.add("/a.png", png())
    fetch(web.url("/a.png", "pictures.example"), table=LOOPBACK)
    assert web.requests[0][1]["Host"] == f"pictures.example:{web.port}"


def test_nothing_of_the_environment_goes_out(fetch, web, monkeypatch, tmp_path):
    """No proxy, no password file, no cookie, and no compression is asked for."""
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login me password secret")
    monkeypatch.setenv("NETRC", str(netrc))
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    web.add("/end.png", png())
    fetch(web.add("/a.png", b"", 302, Location="/end.png", Set_Cookie="a=b"))
    assert [path for path, _ in web.requests] == ["/a.png", "/end.png"]
    for _, headers in web.requests:
        assert headers["Accept-Encoding"] == "identity"
        assert not {"Authorization", "Cookie"} & set(headers)


@pytest.mark.parametrize(
    ("status", "words"),
    [
        (404, "there is nothing at"),
        (410, "there is nothing at"),
        (403, "does not give out"),
        (500, "cannot give"),
        (429, "cannot give"),
        (204, "cannot give"),
    ],
)
def test_an_answer_that_is_no_file_is_an_error(fetch, web, status, words):
    """The status is named, in words."""
    error = refused(fetch, web.add("/a.png", b"", status))
    assert words in error.message
    assert str(status) in error.message


def test_a_web_page_is_an_error_that_says_so(fetch, web, inputs):
    """A page about a picture is not the picture, whatever its type says."""
    page = b"<!doctype html><html><img src=a.png></html>"
    error = refused(fetch, web.add("/a.png", page, Content_Type="image/png"))
    assert "a web page (HTML)" in error.message
    assert list(inputs.iterdir()) == []


def test_a_secret_in_the_address_is_not_repeated(fetch, web):
    """Signed addresses carry their signature in the query."""
    web.add("/a.png?signature=hush", b"", 404)
    assert "hush" not in refused(fetch, web.url("/a.png?signature=hush")).message


def test_a_declared_size_is_believed(fetch, web):
    """A file that says it is too large is not begun."""
    address = web.add("/a.png", b"x", Content_Length="2000")
    assert refused(fetch, address, bytes=1000).code == "too_large"


def test_an_endless_answer_ends_at_the_limit(fetch, web, inputs):
    """A server that says no size and never stops is cut off by size."""
    address = web.endless("/a.png", b"x" * 4096, 0.0)
    assert refused(fetch, address, bytes=100_000).code == "too_large"
    assert list(inputs.iterdir()) == []


@pytest.mark.parametrize("head", [False, True])
def test_a_trickle_ends_at_the_total_time(fetch, web, head):
    """A byte now and then keeps no connection alive for ever, not even in the headers."""
    address = web.endless("/a.png", b"x", 0.02, head=head)
    error = refused(fetch, address, download_seconds=0.5)
    assert error.code == "too_slow"
    assert "within 0.5 seconds" in error.message


def test_silence_ends_at_the_read_time(fetch, web):
    """A server that takes the request and says nothing is left."""
    address = web.endless("/a.png", b"", 60, head=True)
    error = refused(fetch, address, read_seconds=0.3)
    assert (error.code, "does not answer" in error.message) == ("too_slow", True)


@pytest.mark.timeout(30)
def test_silence_ends_at_the_total_time_as_well(fetch, web):
    """A single wait is never longer than what is left of the whole."""
    address = web.endless("/a.png", b"", 60, head=True)
    assert refused(fetch, address, read_seconds=600, download_seconds=0.3).code == "too_slow"


def test_a_name_that_is_never_resolved_ends_as_well(inputs):
    """The operating system may wait for minutes for a name server; we do not."""
    release = threading.Event()

    def slow(host: str, port: int) -> list[str]:
        release.wait(30)
        return ["127.0.0.1"]

    reader = LocalMediaReader(inputs, limits=MediaLimits(connect_seconds=0.2), resolver=slow)
    try:
        with pytest.raises(ValidationError) as caught:
            reader.read("http://pictures.example/a.png", MediaKind.IMAGE)
    finally:
        release.set()
    assert caught.value.code == "too_slow"


def test_a_closed_port_is_an_error(fetch):
    """Nobody listens: the address is named."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        address = f"http://127.0.0.1:{taken.getsockname()[1]}/a.png"
        assert "cannot be fetched" in refused(fetch, address).message


def test_an_answer_that_breaks_off_is_an_error(fetch, web):
    """Fewer bytes than were promised are not a file."""
    address = web.add("/a.png", png(), Content_Length=str(len(png()) + 5))
    assert "cannot be fetched" in refused(fetch, address).message


def test_an_answer_that_is_no_http_is_an_error(fetch):
    """A server of another kind is told from a web server."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def greet() -> None:
            for _ in range(2):
                connection, _ = server.accept()
                with connection:
                    connection.recv(1000)
                    connection.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        error = refused(fetch, f"http://127.0.0.1:{server.getsockname()[1]}/", attempts=2)
        thread.join()
    assert "cannot be fetched" in error.message


def test_a_compressed_answer_is_refused(fetch, web):
    """A compressed bomb is never unfolded."""
    bomb = gzip.compress(b"\0" * 10_000_000)
    error = refused(fetch, web.add("/a.png", bomb, Content_Encoding="gzip"), bytes=100_000)
    assert "compressed (gzip)" in error.message


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed(fetch, web, status):
    """Relative ones too."""
    web.add("/there/b.png", png(8, 4))
    media = fetch(web.redirect("/a.png", "there/b.png", status))
    assert (media.width, media.height) == (8, 4)


@pytest.mark.parametrize(("hops", "arrives"), [(5, True), (6, False)])
def test_redirects_are_counted(fetch, web, hops, arrives):
    """Five are followed, a sixth is not."""
    for hop in range(hops):
        web.redirect(f"/{hop}", f"/{hop + 1}")
    web.add(f"/{hops}", png())
    if arrives:
        assert fetch(web.url("/0")).width == 32
    else:
        assert "redirects" in refused(fetch, web.url("/0")).message
        assert len(web.requests) == 6


def test_a_circle_of_redirects_ends(fetch, web):
    """A page that redirects to itself is asked six times and no more."""
    assert "redirects" in refused(fetch, web.redirect("/a", "/a")).message
    assert len(web.requests) == 6


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://x/a.png", "data:,hi", "gopher:x"])
def test_a_redirect_to_another_scheme_is_refused(fetch, web, target):
    """Only http(s), also in the second step."""
    assert "http:// or https://" in refused(fetch, web.redirect("/a.png", target)).message


def test_a_redirect_to_nonsense_is_refused(fetch, web):
    """A Location that is no address."""
    assert "redirects" in refused(fetch, web.redirect("/a.png", "http://[::1")).message


def test_a_redirect_to_a_private_address_is_refused(inputs, web, monkeypatch):
    """The first host counts as public, the second does not: the second request is never made."""
    asked: list[str] = []

    def resolve(host: str, port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    def outside_only(address: str) -> bool:
        return asked[-1] == "outside.example"

    monkeypatch.setattr(network, "is_public", outside_only)
    web.redirect("/a.png", f"http://inside.example:{web.port}/secret.png")
    web.add("/secret.png", png())
    reader = LocalMediaReader(inputs, resolver=resolve)
    with pytest.raises(ValidationError) as caught:
        reader.read(web.url("/a.png", "outside.example"), MediaKind.IMAGE)
    assert caught.value.code == "private_address"
    assert asked == ["outside.example", "inside.example"]
    assert [path for path, _ in web.requests] == ["/a.png"]


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "0.0.0.0", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1"],
)
def test_loopback_is_refused_in_every_spelling(fetch, web, host):
    """Unless the setting allows it, no request arrives."""
    web.add("/a.png", png())
    assert refused(fetch, web.url("/a.png", host), private=False).code == "private_address"
    assert web.requests == []


def test_a_name_with_one_private_address_is_refused(fetch, web):
    """A name that stands for a public and a private address is meant to get past the check."""
    table = {"pictures.example": ["93.184.216.34", "127.0.0.1"]}
    error = refused(fetch, web.url("/a.png", "pictures.example"), private=False, table=table)
    assert error.code == "private_address"
    assert web.requests == []


def test_a_name_is_resolved_once_for_a_connection(inputs, web):
    """A name that changes between check and connection changes nothing: it is asked once."""
    answers = [["127.0.0.1"], ["192.0.2.1"]]
    web.add("/a.png", png())
    reader = LocalMediaReader(
        inputs, allow_private_addresses=True, resolver=lambda host, port: answers.pop(0)
    )
    reader.read(web.url("/a.png", "pictures.example"), MediaKind.IMAGE)
    assert answers == [["192.0.2.1"]]


def test_the_next_address_is_tried_when_one_does_not_answer(fetch, web):
    """A host whose first address is dead is reached by its second."""
    web.add("/a.png", png())
    table = {"pictures.example": ["127.0.0.2", "127.0.0.1"]}
    assert fetch(web.url("/a.png", "pictures.example"), table=table).width == 32


@pytest.mark.parametrize(
    ("address", "words"),
    [
        ("http://no-such-host.invalid/a.png", "no host named"),
        ("http:///a.png", "no host"),
        ("http://user:secret@127.0.0.1/a.png", "a name or a password"),
        ("ftp://127.0.0.1/a.png", "http://, https:// or file://"),
        ("file:///etc/passwd", "this is text, not a picture"),
        ("http://[::1/a.png", "not an address"),
        ("http://127.0.0.1:99999/a.png", "not an address"),
        (f"http://{'a' * 70}.example/a.png", "no host named"),
    ],
)
def test_addresses_of_the_wrong_form_are_refused(fetch, address, words):
    """Each with what would be right, and without the password."""
    error = refused(fetch, address)
    assert words in error.message
    assert "secret" not in error.message


def test_an_empty_answer_is_an_error(fetch, web, inputs):
    """A file without bytes."""
    assert refused(fetch, web.add("/a.png", b"")).code == "empty"
    assert list(inputs.iterdir()) == []


def test_a_server_without_encryption_is_not_https(fetch, web):
    """Https to a server that speaks none fails, and does not fall back."""
    web.add("/a.png", png())
    error = refused(fetch, web.url("/a.png").replace("http", "https"))
    assert "cannot be fetched" in error.message


@pytest.fixture
def certificate(tmp_path) -> Path:
    """Give a key and a certificate for pictures.example, made on the spot."""
    program = shutil.which("openssl")
    if program is None:
        pytest.skip("openssl is not installed")
    path = tmp_path / "pictures.pem"
    made = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=pictures.example"
    names_option = ["-addext", "subjectAltName=DNS:pictures.example"]
    files = ["-keyout", str(path), "-out", str(tmp_path / "cert.pem")]
    subprocess.run([program, *made.split(), *names_option, *files], check=True, capture_output=True)
    with path.open("ab") as file:
        file.write((tmp_path / "cert.pem").read_bytes())
    return path


def test_the_certificate_is_that_of_the_name(inputs, web, certificate, monkeypatch):
    """The connection goes to an address, the certificate is checked for the name.

    Trusted, it serves its own name and no other; not trusted, it serves nobody.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    web.encrypt(context)
    web.add("/a.png", png())
    reader = LocalMediaReader(
        inputs, allow_private_addresses=True, resolver=lambda host, port: ["127.0.0.1"]
    )
    good = web.url("/a.png", "pictures.example").replace("http:", "https:")
    with pytest.raises(ValidationError, match="certificate verify failed"):
        reader.read(good, MediaKind.IMAGE)
    monkeypatch.setattr(download.certifi, "where", lambda: str(certificate))
    assert reader.read(good, MediaKind.IMAGE).width == 32
    with pytest.raises(ValidationError, match="certificate verify failed"):
        reader.read(good.replace("pictures", "other"), MediaKind.IMAGE)


def test_the_total_time_counts_over_redirects(fetch, web):
    """Slow redirects share one clock."""

    def slow(handler) -> None:
        time.sleep(0.2)
        handler.send_response(302)
        handler.send_header("Location", "/a.png")
        handler.send_header("Content-Length", "0")
        handler.end_headers()

    web.answers["/a.png"] = slow
    error = refused(fetch, web.url("/a.png"), download_seconds=0.5, redirects=1000)
    assert error.code == "too_slow"


def in_turn(web: Web, path: str, *answers: Callable[[], None]) -> str:
    """Answer a path with each answer once, and with the last one from then on."""
    left = list(answers)

    def answer(handler) -> None:
        (left.pop(0) if len(left) > 1 else left[0])()
        web.answers[path](handler)
        web.answers[path] = answer

    web.answers[path] = answer
    return web.url(path)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_server_in_trouble_is_asked_again(fetch, web, caplog, status):
    """Trouble that passes is no error; each further attempt is in the log, without the query."""
    caplog.set_level("DEBUG", logger="tiomagic.media")
    path = "/a.png?signature=hush"
    trouble = partial(web.add, path, b"", status)
    address = in_turn(web, path, trouble, trouble, partial(web.add, path, png()))
    assert fetch(address).width == 32
    assert len(web.requests) == 3
    told = [record.getMessage() for record in caplog.records if record.name == "tiomagic.media"]
    assert [line.split(": ")[0] for line in told] == ["attempt 1 failed", "attempt 2 failed"]
    assert "hush" not in "".join(told)


@pytest.mark.parametrize("status", [403, 404, 204])
def test_an_answer_that_is_final_is_not_asked_for_again(fetch, web, status):
    """What is not given out is not asked for a second time."""
    refused(fetch, web.add("/a.png", b"", status))
    assert len(web.requests) == 1


def test_trouble_that_stays_is_an_error(fetch, web):
    """After so many attempts it ends."""
    error = refused(fetch, web.add("/a.png", b"", 503), attempts=3)
    assert (error.code, len(web.requests)) == ("unavailable", 3)


def test_no_attempt_begins_beyond_the_total_time(fetch, web):
    """A pause that would outlast the download is not begun."""
    error = refused(fetch, web.add("/a.png", b"", 503), pause_seconds=1e9, download_seconds=5)
    assert (error.code, len(web.requests)) == ("unavailable", 1)


def test_a_download_that_broke_off_goes_on(fetch, web, inputs):
    """Wherever the connection breaks, the file that is kept is the whole one."""
    whole = png(64, 64)

    def broken(size: int) -> Callable[[], None]:
        return partial(web.add, "/a.png", whole[:size], Content_Length=str(len(whole)))

    address = in_turn(
        web, "/a.png", broken(10), broken(40), broken(20), partial(web.add, "/a.png", whole)
    )
    assert fetch(address).sha256 == hashlib.sha256(whole).hexdigest()
    assert len(web.requests) == 4
    assert [path.read_bytes() for path in inputs.rglob("*.png")] == [whole]


@pytest.mark.parametrize("second", [png(8, 8), png()[:5]])
def test_two_files_are_never_joined(fetch, web, inputs, second):
    """When the file is another one at the second attempt, nothing is kept."""
    first = png()
    address = in_turn(
        web,
        "/a.png",
        partial(web.add, "/a.png", first[:40], Content_Length=str(len(first))),
        partial(web.add, "/a.png", second),
    )
    assert refused(fetch, address).code == "changed"
    assert list(inputs.rglob("*.png")) == []
