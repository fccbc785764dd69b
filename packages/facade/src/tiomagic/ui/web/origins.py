"""Host names of the page, and detection of requests from other websites (CSRF, DNS rebinding).

A page on loopback has no login, so other websites must not be able to read it. A website can point
its own name to 127.0.0.1 (DNS rebinding), so that the browser treats both as one origin; ``Host``
then has the website's name. It can also send requests whose answer it never sees (CSRF); they name
it in ``Origin``, ``Sec-Fetch-Site`` or ``Referer``.
"""

from __future__ import annotations

import ipaddress
import re
import socket
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.datastructures import Headers

_HOST: Final = re.compile(
    r"(?P<name>\[[0-9a-f:.]{2,45}\]|[a-z0-9](?:[a-z0-9._-]{0,252}))(?::(?P<port>[0-9]{1,5}))?",
    re.ASCII,
)
_LOCAL: Final = "localhost"
_DEFAULT_PORTS: Final = {"80", "443"}


def is_loopback(host: str) -> bool:
    """Return whether only this machine can reach an address."""
    address = _address(host)
    return host == _LOCAL if address is None else address.is_loopback


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowedHosts:
    """The host names of the page.

    No website has an IP address for its name. So a page with a login answers to every IP address,
    and one on loopback only to loopback addresses.
    """

    host_names: frozenset[str]
    """Names in lower case, without a port."""
    any_ip_address: bool
    """True to accept every IP address; False for loopback only."""

    @classmethod
    def of(cls, host: str, further: Iterable[str] = ()) -> AllowedHosts:
        """Return the names of a page.

        Args:
            host: The address that it listens on.
            further: More names that lead here, such as a proxy's.
        """
        local = is_loopback(host)
        own = {_LOCAL, host.lower()} if local else {_LOCAL, host.lower(), *_machine()}
        return cls(
            host_names=frozenset(own | {name.strip().lower() for name in further}) - {""},
            any_ip_address=not local,
        )

    def allows(self, host: str) -> bool:
        """Return whether the page answers to a value of ``Host``."""
        parts = _parts(host)
        if parts is None:
            return False
        name = parts[0]
        if name in self.host_names:
            return True
        address = _address(name)
        return address is not None and (self.any_ip_address or address.is_loopback)


def find_requested_host(headers: Headers, names: AllowedHosts) -> str | None:
    """Return the host name and port that the browser used; None when they are not ours.

    A proxy may send its own name for us in ``Host``, and the browser's in ``X-Forwarded-Host``.
    Then both must be ours.
    """
    called = headers.getlist("host")
    forwarded = headers.getlist("x-forwarded-host")
    if len(called) != 1 or len(forwarded) > 1:
        return None
    last = (forwarded or called)[0].split(",")[0].strip().lower()
    return last if names.allows(called[0].lower()) and names.allows(last) else None


def is_secure(headers: Headers) -> bool:
    """Return whether a proxy reports that the browser used TLS."""
    return headers.getlist("x-forwarded-proto") == ["https"]


def is_cross_site(headers: Headers, host: str, *, navigation: bool) -> bool:
    """Return whether a request comes from another website.

    A request without any of these headers is not foreign: programs and old browsers send none, and
    a browser omits all of them only for the user's own navigation.

    Args:
        headers: Of the request.
        host: What ``find_requested_host`` said.
        navigation: True for the page itself, which other websites may link to.
    """
    secure = is_secure(headers)
    origins = headers.getlist("origin")
    site = headers.get("sec-fetch-site")
    elsewhere = site is not None and site not in {"same-origin", "none"}
    if origins and (len(origins) > 1 or not _is_same(origins[0], host, secure=secure)):
        return True
    if navigation:
        framed = headers.get("sec-fetch-dest") in {"iframe", "frame", "embed", "object"}
        return framed and elsewhere
    referer = headers.get("referer")
    if origins or site is not None or referer is None:
        return elsewhere
    return not _is_same(referer, host, secure=secure)


def _is_same(address: str, host: str, *, secure: bool) -> bool:
    try:
        parts = urlsplit(address)
        scheme, place = parts.scheme.lower(), parts.netloc.lower()
    except ValueError:
        return False
    if scheme != "https" and (scheme != "http" or secure):
        return False
    ours, theirs = _parts(host), _parts(place)
    return ours is not None and ours == theirs


def _parts(host: str) -> tuple[str, str] | None:
    """Return name and port; the port is empty when it is the scheme's default."""
    found = _HOST.fullmatch(host)
    if found is None:
        return None
    port = found["port"] or ""
    return found["name"].strip("[]"), "" if port in _DEFAULT_PORTS else port


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _machine() -> set[str]:
    name = socket.gethostname().lower()
    return {name, name.partition(".")[0]} - {""}
