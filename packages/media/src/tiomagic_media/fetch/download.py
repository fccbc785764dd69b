"""Downloads a file from an address of the user: one deadline, limits, retries, public hosts only.

Every wait on the network ends at the deadline, whatever the server does. A broken connection or a
failing server is retried within it. Proxies, certificates, cookies and passwords of the environment
are not used: a proxy would resolve the name itself, which would defeat the check of the address.
"""

from __future__ import annotations

import hashlib
import ssl
import time
from collections.abc import Iterable, Iterator

import certifi
import httpcore
import httpx

from tiomagic_domain import __version__
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_media.fetch.addresses import Resolver
from tiomagic_media.fetch.network import CheckedNetworkBackend, download_error
from tiomagic_media.fetch.retry import build_retry_policy
from tiomagic_media.limits import MediaLimits

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_GONE = frozenset({404, 410})
_CLOSED = frozenset({401, 402, 403, 407, 451})
_TRANSIENT_STATUSES = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that are worth a retry."""

_HEADERS = [
    ("User-Agent", f"tiomagic/{__version__}"),
    ("Accept", "image/*,video/*,*/*;q=0.5"),
    # A compressed answer could expand to far more bytes than were sent.
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
        """Yield the file's bytes as they arrive.

        Raises:
            ValidationError: when it cannot be fetched; says why.
        """
        deadline = time.monotonic() + self._limits.download_seconds
        url = parse_address(address)
        given = _ResumableOutput(strip_query(url))
        attempts = build_retry_policy(
            strip_query(url),
            _may_pass,
            within_s=self._limits.download_seconds,
            attempts=self._limits.attempts,
            pause_s=self._limits.pause_seconds,
        )
        try:
            for attempt in attempts:
                with attempt:
                    yield from given.skip_delivered(self._follow(url, deadline))
        except httpcore.TimeoutException as error:
            raise self._too_slow(url, deadline) from error
        except (httpcore.NetworkError, httpcore.ProtocolError) as error:
            reason = str(error) or type(error).__name__
            raise download_error(f"{strip_query(url)} cannot be fetched: {reason}") from error

    def _follow(self, url: httpx.URL, deadline: float) -> Iterator[bytes]:
        for _ in range(self._limits.redirects + 1):
            backend = CheckedNetworkBackend(
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
        raise download_error(
            f"{strip_query(url)} is the end of {self._limits.redirects} redirects "
            "and only one more; give the address where the file lies"
        )

    def _timeouts(self) -> dict[str, float]:
        wait = self._limits.read_seconds
        return {"connect": self._limits.connect_seconds, "read": wait, "write": wait, "pool": wait}

    def _check(self, url: httpx.URL, status: int, headers: dict[str, str]) -> None:
        if status in _GONE:
            raise download_error(
                f"there is nothing at {strip_query(url)} (the server says {status})"
            )
        if status in _CLOSED:
            raise download_error(
                f"the server does not give out {strip_query(url)} (it says {status})"
            )
        if status in _TRANSIENT_STATUSES:
            raise download_error(
                f"the server cannot give {strip_query(url)} now (it says {status})",
                ErrorCode.UNAVAILABLE,
            )
        if status != 200:
            raise download_error(
                f"the server cannot give {strip_query(url)} now (it says {status})"
            )
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding not in ("", "identity"):
            raise download_error(
                f"the server sends {strip_query(url)} compressed ({encoding}) without being asked"
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
        return download_error(
            f"{strip_query(url)} is larger than {self._limits.bytes:,} bytes", ErrorCode.TOO_LARGE
        )

    def _too_slow(self, url: httpx.URL, deadline: float) -> ValidationError:
        if time.monotonic() >= deadline:
            bound = f"did not arrive within {self._limits.download_seconds:g} seconds"
        else:
            bound = f"does not answer (waited {self._limits.read_seconds:g} seconds)"
        return download_error(f"{strip_query(url)} {bound}", ErrorCode.TOO_SLOW)


class _ResumableOutput:
    """Remembers the bytes that were yielded, so that a retry continues after them.

    The file is fetched from its start again and its beginning compared: that needs no support of
    the server, and two versions are never joined.

    Args:
        name: The address for people.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._size = 0
        self._digest = hashlib.sha256()

    def skip_delivered(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        """Yield what was not yielded before.

        Args:
            chunks: The file from its start.

        Raises:
            ValidationError: when it does not begin as it did before.
        """
        known, again = self._size, hashlib.sha256()
        for chunk in chunks:
            old, new = chunk[:known], chunk[known:]
            again.update(old)
            known -= len(old)
            if new:
                if again.digest() != self._digest.digest():
                    raise self._changed()
                again.update(new)
                self._digest.update(new)
                self._size += len(new)
                yield new
        if known or again.digest() != self._digest.digest():
            raise self._changed()

    def _changed(self) -> ValidationError:
        return download_error(
            f"{self._name} changed while it was fetched; try again", ErrorCode.CHANGED
        )


def _may_pass(error: BaseException) -> bool:
    # A read timeout is not among these: it has used up its time.
    if isinstance(error, httpcore.NetworkError | httpcore.ProtocolError):
        return not isinstance(error.__cause__, ssl.SSLCertVerificationError)
    return isinstance(error, ValidationError) and error.code == ErrorCode.UNAVAILABLE


def parse_address(address: str) -> httpx.URL:
    """Return an address if its form and scheme are valid.

    Raises:
        ValidationError: when it is not http(s), has no host, or carries a password.
    """
    try:
        url = httpx.URL(address.strip())
    except httpx.InvalidURL as error:
        raise download_error(f"this is not an address that can be fetched: {error}") from error
    if url.scheme not in ("http", "https"):
        raise download_error(f"addresses start with http:// or https://, not {url.scheme}://")
    if not url.host:
        raise download_error("the address has no host")
    if url.port is not None and not 0 < url.port < 65536:
        raise download_error(
            f"this is not an address that can be fetched: there is no port {url.port}"
        )
    if url.userinfo:
        raise download_error("addresses with a name or a password inside are not fetched")
    return url.copy_with(fragment=None)


def strip_query(url: httpx.URL) -> str:
    """Return an address without its query, which may be a signature that is a secret."""
    return str(url.copy_with(query=None, fragment=None, userinfo=b""))


def _next(url: httpx.URL, location: str) -> httpx.URL:
    try:
        target = str(url.join(location))
    except httpx.InvalidURL as error:
        raise download_error(
            f"{strip_query(url)} redirects to something that is not an address"
        ) from error
    try:
        return parse_address(target)
    except ValidationError as error:
        raise download_error(f"{strip_query(url)} redirects, and {error.message}") from error


def _ssl_context(url: httpx.URL) -> ssl.SSLContext | None:
    # Reading all certificates takes longer than a small download, so only where they are needed.
    if url.scheme == "http":
        return None
    return ssl.create_default_context(cafile=certifi.where())
