"""The connection to Modal: one client, and a timeout for every request.

Modal's own client retries a request for about a minute before it reports that there is no answer.
Here every request has a deadline. Requests run in a loop of their own, so that they work the same
from plain code, from a notebook and from a server with a loop, and so that a late one can be
canceled.
"""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, AuthenticationError
from tiomagic_domain.extras import missing_extra_error
from tiomagic_modal.errors import HOW_TO_SIGN_IN, translate_modal_errors
from tiomagic_modal.options import ModalOptions

if TYPE_CHECKING:
    import modal

T = TypeVar("T")

REQUEST_DEADLINE_S = 15.0
"""The default timeout of a request: a longer silence looks like a fault."""


def require_modal() -> Any:
    """Return Modal's own package, imported at its first use: the import takes a third of a second.

    Raises:
        MissingDependencyError: when it is not installed.
    """
    try:
        return importlib.import_module("modal")
    except ImportError as error:
        raise missing_extra_error("modal", "the provider 'modal'", module="modal") from error


class Connection:
    """Sends requests to Modal.

    Args:
        options: With the token.
        deadline_s: Seconds within which an answer must come.
    """

    def __init__(self, options: ModalOptions, deadline_s: float = REQUEST_DEADLINE_S) -> None:
        self._options = options
        self.deadline_s = deadline_s

    def check_token(self) -> None:
        """Check that there is a token, without any request.

        Raises:
            AuthenticationError: when there is none; the message says how to get one.
        """
        config = require_modal().config.config
        ours = self._options.token_id and self._options.token_secret
        theirs = config.get("token_id") and config.get("token_secret")
        if not (ours or theirs or config.get("oauth_refresh_token")):
            raise AuthenticationError(
                f"there is no Modal token. {HOW_TO_SIGN_IN}", code=ErrorCode.NO_TOKEN
            )

    def client(self) -> modal.Client:
        """Return the client, connected. Connections with the same token share one.

        Raises:
            AuthenticationError: when there is no token.
            APIError: with the code ``unreachable``, retryable, when there is no answer.
        """
        url = str(require_modal().config.config["server_url"])
        # Modal's clients do not survive a fork.
        key = (os.getpid(), url, self._options.token_id, self._options.token_secret)
        # Two threads that connect at once would open two connections, of which one is never closed.
        with _CONNECT_LOCK:
            client = _CLIENTS.get(key)
            if client is None or client.is_closed():
                with translate_modal_errors("connect to Modal"):
                    client = _CLIENTS[key] = self.ask(self._connect)
            return client

    async def _connect(self) -> modal.Client:
        kind = require_modal().Client
        token_id, token_secret = self._options.token_id, self._options.token_secret
        if token_id and token_secret:
            client: modal.Client = await kind.from_credentials.aio(token_id, token_secret)
        else:
            client = await kind.from_env.aio()
        return client

    def ask(self, request: Callable[[], Awaitable[T]], *, deadline_s: float | None = None) -> T:
        """Return the answer to a request.

        Modal's own exceptions pass untranslated.

        Args:
            request: Makes the awaitable, such as ``lambda: call.get.aio(timeout=0)``.
            deadline_s: Seconds within which the answer must come; None for the usual.

        Raises:
            APIError: with the code ``unreachable``, retryable, when none came.
        """
        bound = self.deadline_s if deadline_s is None else deadline_s
        # Modal's blocking interface cannot be used inside a running event loop, as in a notebook or
        # a web server. Its asynchronous one in a thread of our own can, and obeys a deadline.
        future = asyncio.run_coroutine_threadsafe(
            _run_within_deadline(request, bound), _LOOP_THREAD.get()
        )
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: the answer is no longer needed.
            raise


class _LoopThread:
    """The event loop for all requests of a process, in a thread of its own."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._process = os.getpid()

    def get(self) -> asyncio.AbstractEventLoop:
        """Return the running loop; a forked child gets one of its own."""
        with self._lock:
            if self._loop is None or self._process != os.getpid():
                self._loop, self._process = asyncio.new_event_loop(), os.getpid()
                threading.Thread(
                    target=self._loop.run_forever, name="tiomagic-modal", daemon=True
                ).start()
            return self._loop


_LOOP_THREAD = _LoopThread()
_CONNECT_LOCK = threading.Lock()
_CLIENTS: dict[tuple[int, str, str | None, str | None], modal.Client] = {}
"""By process, server and token. Modal closes them when the process ends."""


async def _run_within_deadline(request: Callable[[], Awaitable[T]], bound: float) -> T:
    # Not wait_for: its TimeoutError looks the same as Modal's "still running".
    task = asyncio.ensure_future(_to_coroutine(request))
    done, _ = await asyncio.wait({task}, timeout=bound)
    if not done:
        task.cancel()
        raise APIError(
            f"Modal did not answer within {bound:g} s; check the network, or status.modal.com. "
            "Nothing is lost: jobs go on, and the next check asks again",
            details={"deadline_s": bound},
            code=ErrorCode.UNREACHABLE,
            retryable=True,
        )
    return task.result()


def _to_coroutine(request: Callable[[], Awaitable[T]]) -> Coroutine[Any, Any, T]:
    async def run() -> T:
        return await request()

    return run()
