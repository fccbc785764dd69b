"""The ASGI middleware for every request: host, origin and login checks, and the allowed routes.

=======  ===================================  =====================================================
method   path                                 who answers
=======  ===================================  =====================================================
GET      ``/ /config /theme.css``             Gradio, without what stands behind a question mark
GET      ``/assets/… /static/… /svelte/…``    Gradio, its own files
POST     ``/gradio_api/queue/join``           Gradio, with what :mod:`.messages` has left of it
GET      ``/gradio_api/queue/data``           Gradio, for one session
GET      ``/gradio_api/heartbeat/…``          Gradio, for one session
POST     ``/gradio_api/upload``               :mod:`.uploads`
GET      ``/gradio_api/upload_progress``      here: it says that it is done
GET      ``/gradio_api/file=…``               :mod:`.files`, by id
POST     ``/login /logout``                   :mod:`.login`
=======  ===================================  =====================================================
"""

from __future__ import annotations

import asyncio
import json
import re
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlencode

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, PlainTextResponse, Response

from tiomagic.display.journal import get_logger
from tiomagic.ui.web import login_page
from tiomagic.ui.web.files import MEDIA_TYPES, ServedFiles
from tiomagic.ui.web.headers import (
    FILE_POLICY,
    LOGIN_POLICY,
    PAGE_POLICY,
    add_security_headers,
    select_forwarded_headers,
)
from tiomagic.ui.web.login import Login
from tiomagic.ui.web.messages import MAX_MESSAGE_BYTES, InvalidMessageError, read_call
from tiomagic.ui.web.multipart import FormReader
from tiomagic.ui.web.origins import AllowedHosts, find_requested_host, is_cross_site, is_secure
from tiomagic.ui.web.uploads import UploadRefusedError, Uploads

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_TIMEOUT_S: Final = 60.0
"""Longest pause within the body of a request, in seconds."""
DRAINED_BYTES: Final = 4 * 2**20
"""Bytes of an unwanted body that are read and discarded: closing the connection earlier would lose
the answer."""
DRAIN_TIMEOUT_S: Final = 5.0
"""Most seconds for that."""
LOGIN_TIMEOUT_S: Final = 10.0
"""Most seconds for the body of a login, which everybody can send."""
CLEANUP_INTERVAL_S: Final = 3600.0
"""Seconds between two searches for expired uploads, while the page is in use."""
_SESSION: Final = "[A-Za-z0-9_-]{1,64}"
_PLACE: Final = r"(?:[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*/)*[A-Za-z0-9_@+-][A-Za-z0-9_.@+-]*"
"""A path below a folder, without hidden parts or steps upwards."""
_READ: Final = frozenset({"GET", "HEAD"})
_WRITE: Final = frozenset({"POST"})

RequestHandler = Callable[["HttpExchange"], Coroutine[Any, Any, None]]


class RequestRefusedError(Exception):
    """A refused request.

    Args:
        status: Of the answer.
        reason: For the reader of the answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


class HttpExchange:
    """One request.

    Args:
        scope: Of the server.
        receive: The same.
        send: The same.
        host: The host name that the browser used.
    """

    def __init__(self, scope: Scope, receive: Receive, send: Send, host: str) -> None:
        self.scope, self.receive, self.send = scope, receive, send
        self.host = host
        self.headers = Headers(scope=scope)
        self.path: str = scope["path"]
        self._whole = False

    async def chunks(self, limit: int) -> AsyncIterator[bytes]:
        """Yield the body as it arrives.

        Raises:
            RefusedError: when it is larger, too slow, or breaks off.
        """
        size, more = 0, True
        while more:
            try:
                async with asyncio.timeout(BODY_TIMEOUT_S):
                    message = await self.receive()
            except TimeoutError as error:
                raise RequestRefusedError(408, "nothing has come for a while") from error
            if message["type"] != "http.request":
                raise RequestRefusedError(400, "the request has broken off")
            chunk: bytes = message.get("body", b"")
            size += len(chunk)
            if size > limit:
                raise RequestRefusedError(413, "it is too large")
            more = message.get("more_body", False)
            self._whole = not more
            yield chunk

    async def body(self, limit: int) -> bytes:
        """Return the whole body, within a limit."""
        return b"".join([chunk async for chunk in self.chunks(limit)])

    async def drain(self) -> None:
        """Read and discard the rest of an unwanted body, within limits."""
        if self._whole:
            return
        with suppress(RequestRefusedError, TimeoutError):
            async with asyncio.timeout(DRAIN_TIMEOUT_S):
                async for _ in self.chunks(DRAINED_BYTES):
                    pass

    async def answer(self, response: Response, policy: str = PAGE_POLICY) -> None:
        """Answer with a response of ours."""
        await response(self.scope, self.receive, add_security_headers(self.send, policy=policy))


class SecurityMiddleware:
    """The application that the server runs.

    Args:
        page: Gradio's application.
        names: The host names of the page.
        login: Checks logins; None for no login.
        uploads: Takes files.
        files: Gives files.
        cookie: Name of the login's cookie.
    """

    def __init__(
        self,
        page: ASGIApp,
        *,
        names: AllowedHosts,
        login: Login | None,
        uploads: Uploads,
        files: ServedFiles,
        cookie: str,
    ) -> None:
        self._page = page
        self._names = names
        self._login = login
        self._uploads = uploads
        self._files = files
        self._cookie = cookie
        self._tidied = time.monotonic()
        self._routes: list[tuple[re.Pattern[str], frozenset[str], RequestHandler]] = [
            (re.compile(pattern), methods, answering)
            for pattern, methods, answering in (
                ("/|/config|/theme.css", _READ, self._give_page),
                (f"/(?:assets|static|svelte)/{_PLACE}|/favicon.ico", _READ, self._give_asset),
                ("/gradio_api/queue/join", _WRITE, self._call),
                ("/gradio_api/queue/data", _READ, self._stream),
                (f"/gradio_api/heartbeat/{_SESSION}", _READ, self._give_page),
                ("/gradio_api/upload", _WRITE, self._upload),
                ("/gradio_api/upload_progress", _READ, self._tell_progress),
                ("/gradio_api/file=(?P<id>.{1,300})", _READ, self._give_file),
                ("/login", _WRITE, self._log_in),
                ("/logout", _WRITE, self._log_out),
            )
        ]

    def has(self, path: str) -> bool:
        """Return whether a path is one of the page's."""
        return any(pattern.fullmatch(path) for pattern, _, _ in self._routes)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] == "lifespan":
            await self._page(scope, receive, send)
        elif scope["type"] == "websocket":
            await send({"type": "websocket.close", "code": 1008})  # The page has none.
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        visit = HttpExchange(scope, receive, send, "")
        try:
            await self._admit(visit)
        except (RequestRefusedError, UploadRefusedError) as refused:
            # Read first: closing with unread data would reset the connection, and lose the answer.
            await visit.drain()
            response = PlainTextResponse(refused.reason, refused.status)
            response.headers["connection"] = "close"
            await visit.answer(response)

    async def _admit(self, visit: HttpExchange) -> None:
        host = find_requested_host(visit.headers, self._names)
        if host is None:
            raise RequestRefusedError(
                403,
                "this page is not called so; --allowed-host gives it a further name",
            )
        visit.host = host
        method = visit.scope["method"]
        entering = visit.path == "/" and method in _READ
        if is_cross_site(visit.headers, host, navigation=entering):
            raise RequestRefusedError(403, "another website may not use this page")
        answering = self._route(visit.path, method)
        login = self._login
        if login is not None and answering != self._log_in and login.credentials.is_needed():
            token = Request(visit.scope).cookies.get(self._cookie)
            if not login.is_logged_in(token):
                if visit.path == "/":
                    await visit.answer(login_page.login_page(login), LOGIN_POLICY)
                    return
                raise RequestRefusedError(401, "log in first")
        await self._tidy()
        await answering(visit)

    async def _tidy(self) -> None:
        now = time.monotonic()
        if now - self._tidied >= CLEANUP_INTERVAL_S:
            self._tidied = now
            await asyncio.to_thread(self._uploads.clear)

    def _route(self, path: str, method: str) -> RequestHandler:
        for pattern, methods, answering in self._routes:
            if pattern.fullmatch(path):
                if method not in methods:
                    raise RequestRefusedError(405, "this cannot be done with it")
                return answering
        raise RequestRefusedError(404, "there is nothing here")

    async def _give_page(self, visit: HttpExchange) -> None:
        await self._pass_on(visit, query=b"")

    async def _give_asset(self, visit: HttpExchange) -> None:
        await self._pass_on(visit, query=b"", fresh=False)

    async def _stream(self, visit: HttpExchange) -> None:
        query = visit.scope["query_string"].decode("latin-1")
        session = parse_qs(query, max_num_fields=8).get("session_hash", [])
        if len(session) != 1 or not re.fullmatch(_SESSION, session[0]):
            raise RequestRefusedError(400, "session_hash is missing")
        # Built anew, so that only the checked value reaches Gradio.
        query = urlencode({"session_hash": session[0]})
        await self._pass_on(visit, query=query.encode("ascii"))

    async def _call(self, visit: HttpExchange) -> None:
        kind = visit.headers.get("content-type", "").partition(";")[0].strip().lower()
        # Another website can send plain text without a preflight request, but not JSON.
        if kind != "application/json" or "content-encoding" in visit.headers:
            raise RequestRefusedError(415, "application/json was expected")
        try:
            call = read_call(await visit.body(MAX_MESSAGE_BYTES))
        except InvalidMessageError as error:
            raise RequestRefusedError(422, str(error)) from error
        session = call.get("session_hash")
        if not isinstance(session, str) or not re.fullmatch(_SESSION, session):
            raise RequestRefusedError(422, "session_hash is missing")
        # Written anew from the checked data, so that Gradio parses exactly what was checked.
        await self._pass_on(visit, query=b"", body=json.dumps(call).encode("ascii"))

    async def _pass_on(
        self, visit: HttpExchange, *, query: bytes, body: bytes | None = None, fresh: bool = True
    ) -> None:
        """Pass the request to Gradio, with reduced headers."""
        headers = select_forwarded_headers(
            visit.scope["headers"], visit.host, secure=is_secure(visit.headers)
        )
        if body is not None:
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", str(len(body)).encode("ascii")))
        scope = {**visit.scope, "headers": headers, "query_string": query}
        receive = visit.receive if body is None else _replaying(body, visit.receive)
        answered = _TrackedSend(add_security_headers(visit.send, fresh=fresh))
        try:
            await self._page(scope, receive, answered)
        except Exception as error:
            get_logger().warning("ui.request_failed", path=visit.path, error=repr(error)[:500])
            if not answered.begun:
                raise RequestRefusedError(500, "the page has failed at this") from error
            if not answered.done:
                raise  # The connection is closed, so that a partial answer does not look complete.

    async def _upload(self, visit: HttpExchange) -> None:
        # Space is reserved before the upload, so its length must be known.
        length = visit.headers.get("content-length", "")
        if not re.fullmatch("[0-9]{1,15}", length):
            raise RequestRefusedError(411, "the size must be said beforehand")
        with self._uploads.receive_file(int(length)) as reception:
            reader = FormReader(visit.headers.get("content-type", ""), reception)
            await reader.read(visit.chunks(int(length)))
        await visit.answer(JSONResponse(reception.file_ids))

    async def _tell_progress(self, visit: HttpExchange) -> None:
        done = 'data: {"msg": "done"}\n\n'
        await visit.answer(Response(done, media_type="text/event-stream"))

    async def _give_file(self, visit: HttpExchange) -> None:
        file_id = visit.path.removeprefix("/gradio_api/file=")
        # In a thread, because the look-up reads the database and the disk.
        file = await asyncio.to_thread(self._files.find, file_id)
        if file is None:
            raise RequestRefusedError(404, "there is no such file")
        # Other types are only downloaded: shown, they could run scripts of this origin.
        kind = MEDIA_TYPES.get(file.path.suffix.lower())
        response = FileResponse(
            file.path,
            media_type=kind or "application/octet-stream",
            filename=file.path.name,
            content_disposition_type="inline" if kind else "attachment",
        )
        await visit.answer(response, FILE_POLICY)

    async def _log_in(self, visit: HttpExchange) -> None:
        if self._login is None:
            raise RequestRefusedError(404, "there is nothing here")
        try:
            async with asyncio.timeout(LOGIN_TIMEOUT_S):
                body = await visit.body(login_page.FORM_BYTES)
        except TimeoutError as error:
            raise RequestRefusedError(408, "the login came too slowly") from error
        request = Request(visit.scope)
        await visit.answer(
            await login_page.answer_login(request, body, self._login, self._cookie), LOGIN_POLICY
        )

    async def _log_out(self, visit: HttpExchange) -> None:
        if self._login is not None:
            self._login.log_out(Request(visit.scope).cookies.get(self._cookie))
        response = login_page.answer_success(Request(visit.scope))
        response.delete_cookie(self._cookie, path="/", httponly=True, samesite="strict")
        await visit.answer(response)


class _TrackedSend:
    """A ``send`` that tracks the state of the answer."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self.begun = self.done = False

    async def __call__(self, message: Message) -> None:
        self.begun = True
        await self._send(message)
        if message["type"] == "http.response.body":
            self.done = not message.get("more_body", False)


def _replaying(body: bytes, rest: Receive) -> Receive:
    """Return a ``receive`` that gives a body, and then the server's own events."""
    given = False

    async def receive() -> Message:
        nonlocal given
        if given:
            return await rest()
        given = True
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
