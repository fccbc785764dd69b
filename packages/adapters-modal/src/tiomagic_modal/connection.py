"""The wire to Modal: one client, and an answer within a bound or an error that says so.

Modal's own client repeats a request for about a minute before it admits that nobody answers. Here
every request has a deadline. Requests run in a loop of the connection's own, so that they work the
same from plain code, from a notebook and from a server that has a loop already, and so that one
that comes too late can be called off.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import TYPE_CHECKING, Any, TypeVar

from tiomagic_domain.errors import APIError, AuthenticationError, MissingDependencyError
from tiomagic_modal.errors import HOW_TO_SIGN_IN, translated
from tiomagic_modal.options import ModalOptions

if TYPE_CHECKING:
    import modal

T = TypeVar("T")

DEADLINE_S = 15.0
"""Longest silence that a person takes for work and not for a fault."""
UNREACHABLE = "unreachable"
"""Code of the error that says that no answer came in time."""


def require_modal() -> Any:
    """Return Modal's own package, imported at its first use: it takes a third of a second.

    Raises:
        MissingDependencyError: when it is not installed.
    """
    try:
        return importlib.import_module("modal")
    except ImportError as error:
        raise MissingDependencyError(
            "the provider 'modal' needs Modal's client; from the repository: "
            "pip install './packages/facade[modal]'",
            details={"package": "modal"},
        ) from error


class Connection:
    """Asks Modal.

    Args:
        options: Whose token.
        deadline_s: Seconds within which an answer must come.
    """

    def __init__(self, options: ModalOptions, deadline_s: float = DEADLINE_S) -> None:
        self._options = options
        self.deadline_s = deadline_s
        self._connecting = threading.Lock()
        self._lock = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._client: modal.Client | None = None

    def check_token(self) -> None:
        """Look whether there is a token; contacts nobody.

        Raises:
            AuthenticationError: when there is none, with how to get one.
        """
        config = require_modal().config.config
        ours = self._options.token_id and self._options.token_secret
        theirs = config.get("token_id") and config.get("token_secret")
        if not (ours or theirs or config.get("oauth_refresh_token")):
            raise AuthenticationError(f"there is no Modal token. {HOW_TO_SIGN_IN}", code="no_token")

    def client(self) -> modal.Client:
        """Return the client, connected.

        Raises:
            AuthenticationError: when there is no token.
            APIError: with the code ``unreachable``, retryable, when nobody answers.
        """
        with self._connecting:
            if self._client is None or self._client.is_closed():
                with translated("connect to Modal"):
                    self._client = self.ask(self._connect)
            return self._client

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

        Modal's own exceptions come out as they are; `translated` is the caller's choice.

        Args:
            request: Makes the awaitable, such as ``lambda: call.get.aio(timeout=0)``.
            deadline_s: Seconds within which the answer must come; None for the usual.

        Raises:
            APIError: with the code ``unreachable``, retryable, when none came.
        """
        bound = self.deadline_s if deadline_s is None else deadline_s
        future = asyncio.run_coroutine_threadsafe(_bounded(request, bound), self._own_loop())
        try:
            return future.result()
        except BaseException:
            future.cancel()  # Ctrl-C: nobody waits for the answer any more.
            raise

    def _own_loop(self) -> asyncio.AbstractEventLoop:
        with self._lock:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                threading.Thread(
                    target=self._loop.run_forever, name="tiomagic-modal", daemon=True
                ).start()
            return self._loop


async def _bounded(request: Callable[[], Awaitable[T]], bound: float) -> T:
    # Not wait_for: its TimeoutError could not be told from Modal's "still running".
    task = asyncio.ensure_future(_run(request))
    done, _ = await asyncio.wait({task}, timeout=bound)
    if not done:
        task.cancel()
        raise APIError(
            f"Modal did not answer within {bound:g} s; check the network, or status.modal.com. "
            "Nothing is lost: jobs go on, and the next check asks again",
            details={"deadline_s": bound},
            code=UNREACHABLE,
            retryable=True,
        )
    return task.result()


def _run(request: Callable[[], Awaitable[T]]) -> Coroutine[Any, Any, T]:
    async def run() -> T:
        return await request()

    return run()
