"""Connections of a download: only to allowed addresses, every wait bounded by the deadline.

Names are resolved, checked and connected to in one place, so that a name cannot be checked as one
address and connected to as another.
"""

from __future__ import annotations

import ssl
import time
from collections.abc import Iterable
from typing import Any

import httpcore

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_media.fetch.addresses import Resolver, is_public, resolve_in_time
from tiomagic_media.limits import MediaLimits


def download_error(message: str, code: ErrorCode = ErrorCode.CANNOT_FETCH) -> ValidationError:
    """Return the error that a file cannot be fetched."""
    return ValidationError(message, code=code)


class CheckedNetworkBackend(httpcore.NetworkBackend):
    """Resolves, checks and connects in one place; every wait ends at the deadline.

    Args:
        resolver: Gives the addresses of a name.
        deadline: On the monotonic clock.
        limits: Bounds on single waits.
        public: True to connect to public addresses only.
    """

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
        """Connect to the first address of a name that answers."""
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
            raise download_error(f"there is no host named {host!r}") from error
        # One address that is not public is enough to refuse: such names exist to evade this check.
        if self._public and not all(is_public(address) for address in found):
            raise download_error(
                f"{host!r} is an address of this machine or of a private network; such addresses "
                "are fetched only where the setting allow_private_media is on",
                ErrorCode.PRIVATE_ADDRESS,
            )
        return found


class _Stream(httpcore.NetworkStream):
    """A connection on which every wait ends at the deadline."""

    def __init__(self, stream: httpcore.NetworkStream, deadline: float) -> None:
        self._stream = stream
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        """Read within the deadline."""
        return self._stream.read(max_bytes, _within(self._deadline, timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        """Write within the deadline."""
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
