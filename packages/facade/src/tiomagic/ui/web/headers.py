"""HTTP headers: which ones of a request reach Gradio, and the security headers of answers."""

from __future__ import annotations

from collections.abc import Iterable, MutableMapping
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from starlette.types import Message, Send

RawHeaders = list[tuple[bytes, bytes]]

PAGE_POLICY: Final = (
    "default-src 'self'; "
    # Gradio writes its configuration into the page as a script, and compiles our JavaScript from
    # text.
    "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; "
    "style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; "
    "media-src 'self' data: blob:; "
    "font-src 'self' data:; "
    "connect-src 'self' data: blob:; "
    "worker-src 'self' blob:; "
    "object-src 'none'; base-uri 'self'; form-action 'self'; frame-src 'none'; "
    "frame-ancestors 'none'"
)
"""Injected content could fetch nothing from elsewhere, and no other page may frame this one."""
FILE_POLICY: Final = "default-src 'none'; sandbox; frame-ancestors 'none'"
"""An uploaded file runs no script, even when it is opened by itself."""
LOGIN_POLICY: Final = (
    "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'"
)

_SECURITY_HEADERS: Final = {
    b"x-frame-options": b"DENY",
    b"x-content-type-options": b"nosniff",
    # Not no-referrer: a form would then send a null origin.
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), microphone=(), geolocation=()",
}
_FORWARDED_HEADERS: Final = frozenset(
    {b"accept", b"accept-encoding", b"accept-language", b"host", b"if-none-match", b"range"}
)
"""The request headers that reach Gradio: no cookie, no proxy's address."""


def select_forwarded_headers(
    headers: Iterable[tuple[bytes, bytes]], host: str, *, secure: bool
) -> RawHeaders:
    """Return the headers of a request for Gradio.

    Args:
        headers: As they came.
        host: The host name that the browser used; Gradio builds addresses with it.
        secure: True for TLS.
    """
    kept = [
        (name, value) for name, value in headers if name in _FORWARDED_HEADERS and name != b"host"
    ]
    kept.append((b"host", host.encode("latin-1")))
    return [*kept, (b"x-forwarded-proto", b"https")] if secure else kept


def add_security_headers(send: Send, *, policy: str = PAGE_POLICY, fresh: bool = True) -> Send:
    """Return a ``send`` that adds our headers to an answer, and removes CORS headers.

    Args:
        send: Of the server.
        policy: The ``Content-Security-Policy``.
        fresh: True to forbid caching.
    """

    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            message = _with_ours(message, policy, fresh=fresh)
        await send(message)

    return sending


def _with_ours(message: MutableMapping[str, Any], policy: str, *, fresh: bool) -> Message:
    ours = {**_SECURITY_HEADERS, b"content-security-policy": policy.encode("latin-1")}
    if fresh:
        ours[b"cache-control"] = b"private, no-store"
    kept = [
        (name, value)
        for name, value in message.get("headers", [])
        if not name.lower().startswith(b"access-control-") and name.lower() not in ours
    ]
    return {**message, "headers": [*kept, *ours.items()]}
