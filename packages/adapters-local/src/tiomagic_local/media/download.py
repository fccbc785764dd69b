"""Fetches a file from an address that a user gave, within bounds.

Names are resolved, checked and connected to in one place, so that a name cannot be checked as one
address and connected to as another. Every wait on the network ends at the one deadline, whatever
the server does. Proxies, certificates, cookies and passwords of the environment are not used: a
proxy would resolve the name itself, and the check of the address would be worth nothing.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable, Iterator
from typing import Any

import certifi
import httpcore
import httpx

from tiomagic_domain import __version__
from tiomagic_domain.errors import ValidationError
from tiomagic_local.media.addresses import Resolver, is_public, resolve_in_time
from tiomagic_local.media.limits import MediaLimits

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_CLOSED = frozenset({401, 402, 403, 407, 451})

_HEADERS = [
    ("User-Agent", f"tiomagic/{__version__}"),
    ("Accept", "image/*,video/*,*/*;q=0.5"),
    # A compressed answer could unfold into far more than was sent.
    ("Accept-Encoding", "identity"),
    ("Connection", "close"),
]


class Downloader:
    """Downloads files over http and https.

    Args:
        limits: Bounds on size, time and redirects.
        allow_private_addresses: True to connect to loopback and private addresses as well.
        resolver: Gives the addresses of a name.
    """

    def __init__(
        self, limits: MediaLimits, *, allow_private_addresses: bool, resolver: Resolver
    ) -> None:
        self._limits = limits
        self._allow_private = allow_private_addresses
        self._resolver = resolver

    def chunks(self, address: str) -> Iterator[bytes]:
        """Give the file's bytes as they arrive.

        Raises:
            ValidationError: when it cannot be fetched; says why.
        """
        deadline = time.monotonic() + self._limits.download_seconds
        url = parse(address)
        try:
            yield from self._follow(url, deadline)
        except httpcore.TimeoutException as error:
            raise self._too_slow(url, deadline) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = str(error) or type(error).__name__
            raise _cannot(f"{shown(url)} cannot be fetched: {reason}") from error

    def _follow(self, url: httpx.URL, deadline: float) -> Iterator[bytes]:
        for _ in range(self._limits.redirects + 1):
            backend = _Backend(
                self._resolver, deadline, self._limits, public=not self._allow_private
            )
            with (
                httpcore.ConnectionPool(
                    ssl_context=_ssl_context(url), network_backend=backend
                ) as pool,
                pool.stream(
                    "GET", str(url), headers=_HEADERS, extensions={"timeout": self._timeouts()}
                ) as response,
            ):
                headers = {
                    k.decode("latin-1").lower(): v.decode("latin-1") for k, v in response.headers
                }
                if response.status in _REDIRECTS and "location" in headers:
                    url = _next(url, headers["location"])
                    continue
                self._check(url, response.status, headers)
                yield from self._bounded(url, response.iter_stream())
                return
        raise _cannot(
            f"{shown(url)} is the end of {self._limits.redirects} redirects "
            "and only one more; give the address where the file lies"
        )

    def _timeouts(self) -> dict[str, float]:
        wait = self._limits.read_seconds
        return {"connect": self._limits.connect_seconds, "read": wait, "write": wait, "pool": wait}

    def _check(self, url: httpx.URL, status: int, headers: dict[str, str]) -> None:
        if status in _GONE:
            raise _cannot(f"there is nothing at {shown(url)} (the server says {status})")
        if status in _CLOSED:
            raise _cannot(f"the server does not give out {shown(url)} (it says {status})")
        if status != 200:
            raise _cannot(f"the server cannot give {shown(url)} now (it says {status})")
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise _cannot(
                f"the server sends {shown(url)} compressed ({encoding}) without being asked"
            )
        length = headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._limits.bytes:
            raise self._too_large(url)

    def _bounded(self, url: httpx.URL, chunks: Iterable[bytes]) -> Iterator[bytes]:
        received = 0
        for chunk in chunks:
            received += len(chunk)
            if received > self._limits.bytes:
                raise self._too_large(url)
            yield chunk

    def _too_large(self, url: httpx.URL) -> ValidationError:
        return _cannot(f"{shown(url)} is larger than {self._limits.bytes:,} bytes", "too_large")

    def _too_slow(self, url: httpx.URL, deadline: float) -> ValidationError:
        if time.monotonic() >= deadline:
            bound = f"did not arrive within {self._limits.download_seconds:g} seconds"
        else:
            bound = f"does not answer (waited {self._limits.read_seconds:g} seconds)"
        return _cannot(f"{shown(url)} {bound}", "too_slow")


def parse(address: str) -> httpx.URL:
    """Return an address whose form and scheme are right.

    Raises:
        ValidationError: when it is not http(s), has no host, or carries a password.
    """
    try:
        url = httpx.URL(address.strip())
    except httpx.InvalidURL as error:
        raise _cannot(f"this is not an address that can be fetched: {error}") from error
    if url.scheme not in ("http", "https"):
        raise _cannot(f"addresses start with http:// or https://, not {url.scheme}://")
    if not url.host:
        raise _cannot("the address has no host")
    if url.port is not None and not 0 < url.port < 65536:
        raise _cannot(f"this is not an address that can be fetched: there is no port {url.port}")
    if url.userinfo:
        raise _cannot("addresses with a name or a password inside are not fetched")
    return url.copy_with(fragment=None)


def shown(url: httpx.URL) -> str:
    """Return an address without its query, which may be a signature that is a secret."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))


def _next(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = str(url.join(location))
    except httpx.InvalidURL as error:
        raise _cannot(f"{shown(url)} redirects to something that is not an address") from error
    try:
        return parse(target)
    except ValidationError as error:
        raise _cannot(f"{shown(url)} redirects, and {error.message}") from error


def _cannot(message: str, code: str = "cannot_fetch") -> ValidationError:
    return ValidationError(message, code=code)


def _ssl_context(url: httpx.URL) -> ssl.SSLContext | None:
    # Reading all certificates takes longer than a small download, so only where they are needed.
    if url.scheme == "http":
        return None
    return ssl.create_default_context(cafile=certifi.where())


class _Backend(httpcore.NetworkBackend):
    """Resolves, checks and connects in one place; every wait ends at the deadline."""

    def __init__(
        self, resolver: Resolver, deadline: float, limits: MediaLimits, *, public: bool
    ) -> None:
        self._resolver = resolver
        self._deadline = deadline
        self._limits = limits
        self._public = public
        self._plain = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        failure: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in self._addresses(host, port):
            try:
                stream = self._plain.connect_tcp(
                    address, port, _within(self._deadline, timeout), local_address, socket_options
                )
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
            else:
                return _Stream(stream, self._deadline)
        raise failure

    def _addresses(self, host: str, port: int) -> list[str]:
        try:
            seconds = _within(self._deadline, self._limits.connect_seconds)
            found = resolve_in_time(self._resolver, host, port, seconds)
        except TimeoutError as error:
            raise httpcore.ConnectTimeout(str(error)) from error
        except OSError as error:
            raise _cannot(f"there is no host named {host!r}") from error
        # One address that is not public is enough: such names exist to get past this check.
        if self._public and not all(is_public(address) for address in found):
            raise _cannot(
                f"{host!r} is an address of this machine or of a private network; such addresses "
                "are fetched only when the setting allow_private_addresses is on",
                "private_address",
            )
        return found


class _Stream(httpcore.NetworkStream):
    """A connection on which every wait ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _within(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _within(self._deadline, timeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        secured = self._stream.start_tls(
            ssl_context, server_hostname, _within(self._deadline, timeout)
        )
        return _Stream(secured, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _within(deadline: float, timeout: float | None) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise httpcore.ReadTimeout("the time for the download is over")
    return left if timeout is None else min(timeout, left)
