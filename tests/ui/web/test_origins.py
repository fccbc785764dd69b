"""The names that the page answers to, and the websites that it does not."""

import pytest
from starlette.datastructures import Headers

from tiomagic.ui.web.origins import AllowedHosts, find_requested_host, is_cross_site

LOCAL = AllowedHosts.of("127.0.0.1")


@pytest.mark.parametrize(
    "host",
    ["localhost", "LocalHost:7860", "127.0.0.1", "127.0.0.1:7860", "127.3.2.1:1", "[::1]:7860"],
)
def test_a_page_on_loopback_answers_to_this_machine(host: str) -> None:
    """All names of loopback are this machine's, in any case and with any port."""
    assert LOCAL.allows(host.lower())
    assert find_requested_host(Headers({"host": host}), LOCAL) == host.lower()


@pytest.mark.parametrize(
    "host",
    [
        *(
            "rebound.example",
            "rebound.example:7860",
            "localhost.rebound.example",
            "127.0.0.1.nip.io",
        ),
        *("localhost.", "127.1", "0x7f.0.0.1", "2130706433", "017700000001", "0", "0.0.0.0"),
        *("192.168.1.5", "[::]", "::1", "[::ffff:127.0.0.1]", "[::1", "::1]", "[localhost]"),
        *("a@localhost", "localhost@a", "localhost:80:80", "localhost:a", "localhost:", ":7860"),
        *("localhost,rebound.example", "rebound.example, localhost", "localhost rebound", ""),
        *(
            "localhost/",
            "localhost#",
            "localhost?",
            "localhost\\",
            "localhost%2e",
            "l\u043ecalhost",
        ),
    ],
)
def test_a_page_on_loopback_answers_to_no_other_name(host: str) -> None:
    """A name that a website may have, or that is read in two ways, is not ours."""
    assert not LOCAL.allows(host.lower())
    assert find_requested_host(Headers(raw=[(b"host", host.encode())]), LOCAL) is None


def test_one_name_is_asked_for() -> None:
    """No ``Host``, or two, is no name; what a proxy adds has to be ours as well."""
    assert find_requested_host(Headers({}), LOCAL) is None
    two = [(b"host", b"localhost"), (b"host", b"localhost")]
    assert find_requested_host(Headers(raw=two), LOCAL) is None
    named = AllowedHosts.of("127.0.0.1", ["Studio.example"])
    behind = {"host": "127.0.0.1:7860", "x-forwarded-host": "studio.example"}
    assert find_requested_host(Headers(behind), named) == "studio.example"
    assert find_requested_host(Headers(behind), LOCAL) is None
    assert find_requested_host(Headers({**behind, "host": "rebound.example"}), named) is None


def test_a_page_with_a_login_answers_to_every_address() -> None:
    """No website is called by numbers; names have to be listed there too."""
    names = AllowedHosts.of("0.0.0.0", ["studio.example"])
    for host in ("192.168.1.5:7860", "[2001:db8::1]:7860", "studio.example", "localhost"):
        assert names.allows(host), host
    for host in ("rebound.example", "a.studio.example", "studio.example.", "192.168.1.5.nip.io"):
        assert not names.allows(host), host


OURS = "studio.example:7860"
FOREIGN = [
    {"origin": "null"},
    {"origin": ""},
    {"origin": "http://elsewhere.example"},
    {"origin": "http://studio.example"},
    {"origin": "http://studio.example:7861"},
    {"origin": "http://studio.example:7860.elsewhere.example"},
    {"origin": "http://studio.example:7860@elsewhere.example"},
    {"origin": "http://elsewhere.example@studio.example:7860"},
    {"origin": "ftp://studio.example:7860"},
    {"origin": "file://"},
    {"origin": "chrome-extension://abcdef"},
    {"origin": "http://[studio.example:7860"},
    {"sec-fetch-site": "cross-site"},
    {"sec-fetch-site": "same-site"},
    {"sec-fetch-site": "Cross-Site"},
    {"referer": "http://elsewhere.example/a"},
    {"referer": "http://studio.example:1/a"},
    {"referer": "about:blank"},
    {"origin": "http://studio.example:7860", "sec-fetch-site": "cross-site"},
    {"origin": "http://studio.example:7860", "x-forwarded-proto": "https"},
]
OWN = [
    {},
    {"origin": "http://studio.example:7860"},
    {"origin": "HTTP://Studio.Example:7860", "referer": "http://elsewhere.example/"},
    {"origin": "https://studio.example:7860", "x-forwarded-proto": "https"},
    {"sec-fetch-site": "same-origin"},
    {"sec-fetch-site": "none"},
    {"referer": "http://studio.example:7860/"},
]


@pytest.mark.parametrize("headers", FOREIGN)
def test_another_website_is_noticed(headers: dict[str, str]) -> None:
    """By any of the three headers that name it; one that is ours does not outweigh another."""
    assert is_cross_site(Headers(headers), OURS, navigation=False)


@pytest.mark.parametrize("headers", OWN)
def test_the_page_itself_is_not(headers: dict[str, str]) -> None:
    """Nor a program or an old browser, which name nothing."""
    assert not is_cross_site(Headers(headers), OURS, navigation=False)


def test_two_origins_are_none() -> None:
    """A browser sends one."""
    origin = (b"origin", b"http://studio.example:7860")
    assert is_cross_site(Headers(raw=[origin, origin]), OURS, navigation=False)


def test_the_port_of_the_scheme_may_be_left_out() -> None:
    """A browser leaves it out in one header and a proxy writes it in the other."""
    headers = Headers({"origin": "https://studio.example", "x-forwarded-proto": "https"})
    assert not is_cross_site(headers, "studio.example:443", navigation=False)


def test_a_link_leads_to_the_page_but_a_frame_does_not() -> None:
    """Another website may be left for the page, and may not show it within itself."""
    link = {"sec-fetch-site": "cross-site", "referer": "http://elsewhere.example/"}
    assert not is_cross_site(Headers(link), OURS, navigation=True)
    for kind in ("iframe", "frame", "embed", "object"):
        framed = {**link, "sec-fetch-dest": kind}
        assert is_cross_site(Headers(framed), OURS, navigation=True), kind
