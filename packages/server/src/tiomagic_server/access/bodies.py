"""Limits on bodies: size, speed, and how many at once."""

from __future__ import annotations

import asyncio
import time
from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tiomagic_domain.codes import ErrorCode
from tiomagic_server.answering.codes import RefusalCode
from tiomagic_server.answering.errors import build_error

LARGE_BYTES: Final = 64 * 2**10
"""From this size on, or without a size, a body counts among those that come at once."""
MAX_LARGE_BODIES: Final = 16
"""Large bodies that may come at once, to one process."""
SILENCE_TIMEOUT_S: Final = 20.0
"""Seconds that a client may send nothing in the middle of a body."""
FIRST_SECONDS: Final = 60.0
LEAST_BYTES_PER_S: Final = 32 * 2**10
"""A body may take the first seconds, and then one second for each so many bytes."""
STREAMED: Final = "multipart/form-data"
"""The kind of body whose files are put on the disk as they arrive."""
CLOSE: Final = {"connection": "close"}
"""Header of an answer after which the rest of a body is not read."""


class BodyLimits:
    """Bounds the bodies of all requests. An ASGI middleware.

    Args:
        app: What gets them.
        largest: Most bytes of one.
        largest_whole: Most bytes of one that is read into memory as a whole: any but a form with
            files.
    """

    def __init__(self, app: ASGIApp, *, largest: int, largest_whole: int) -> None:
        self._app = app
        self._largest = largest
        self._largest_whole = min(largest, largest_whole)
        self._coming = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, with a bounded body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request, size = Request(scope), _read_size(headers)
        is_streamed = headers.get("content-type", "").lower().startswith(STREAMED)
        largest = self._largest if is_streamed else self._largest_whole
        if size is not None and size > largest:
            message = _say_largest(largest, is_streamed=is_streamed)
            answer = build_error(request, 413, message, code=ErrorCode.TOO_LARGE, headers=CLOSE)
            await answer(scope, receive, send)
            return
        is_large = "transfer-encoding" in headers or (size or 0) >= LARGE_BYTES
        if is_large and self._coming >= MAX_LARGE_BODIES:
            message = "too many uploads are on their way: try again soon"
            again = {**CLOSE, "retry-after": "2"}
            answer = build_error(
                request, 429, message, code=RefusalCode.TOO_MANY_UPLOADS, headers=again
            )
            await answer(scope, receive, send)
            return
        self._coming += is_large
        try:
            await self._app(scope, _BoundedBody(receive, largest, is_streamed=is_streamed), send)
        finally:
            self._coming -= is_large


class _BoundedBody:
    """A ``receive`` that ends with an error where a body is too large or too slow."""

    def __init__(self, receive: Receive, largest: int, *, is_streamed: bool) -> None:
        self._receive = receive
        self._largest = largest
        self._is_streamed = is_streamed
        self._taken = 0
        self._is_whole = False
        self._started: float | None = None

    async def __call__(self) -> Message:
        if self._is_whole:
            return await self._receive()  # It waits for the end of the connection.
        if self._started is None:
            self._started = time.monotonic()
        deadline = self._started + FIRST_SECONDS + self._taken / LEAST_BYTES_PER_S
        patience = min(SILENCE_TIMEOUT_S, max(0.0, deadline - time.monotonic()))
        try:
            message = await asyncio.wait_for(self._receive(), patience)
        except TimeoutError:
            raise HTTPException(408, "the body came too slowly", headers=CLOSE) from None
        if message["type"] == "http.request":
            self._taken += len(message.get("body", b""))
            self._is_whole = not message.get("more_body", False)
            if self._taken > self._largest:
                said = _say_largest(self._largest, is_streamed=self._is_streamed)
                raise HTTPException(413, said, headers=CLOSE)
        return message


def _say_largest(largest: int, *, is_streamed: bool) -> str:
    advice = "" if is_streamed else f"; send files as {STREAMED}"
    return f"a request of this kind may have {largest // 2**20} MiB{advice}"


def _read_size(headers: Headers) -> int | None:
    given = headers.get("content-length", "")
    return int(given) if given.isascii() and given.isdigit() else None
