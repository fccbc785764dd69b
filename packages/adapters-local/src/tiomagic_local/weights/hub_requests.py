"""Requests to the hub that end in time: its client's session, without its retries and its log.

A request runs in a thread of its own, which is left behind when the time is over: looking up a name
in a broken network blocks for as long as the system likes. So a missing network is found out in
seconds, and Ctrl-C and a cancel end the wait at once.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any, TypeVar
from urllib.parse import quote

from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.progress import CancelToken, NeverCanceled
from tiomagic_local.weights.hub_cache import ListedFile, Listing, is_safe_name
from tiomagic_local.weights.hub_errors import (
    check_token,
    retry_after_of,
    status_of,
    translate_hub_errors,
)
from tiomagic_local.weights.no_answer import HubSilentError
from tiomagic_media.fetch.hub_telemetry import disable_hub_telemetry

T = TypeVar("T")

ANSWER_WITHIN_S = 4.5
"""Seconds for the answer to a request and all its attempts, after which there is no network."""
MAX_ATTEMPTS = 3
"""Attempts for what passes by itself, within the same time."""
FIRST_PAUSE_S = 0.3
"""Seconds before the second attempt; each later pause is twice as long."""
POLL_S = 0.1
"""Seconds between two looks for a cancel."""

TRANSIENT_STATUSES = frozenset({408, 429})
"""Statuses below 500 that are worth another attempt."""


class HubRequests:
    """Asks the hub about one repository.

    Args:
        repository: Such as ``owner/name``.
        model: The model that needs it, for errors.
        token: For gated repositories; None for what the hub's tools have stored.
        cancel: Ends a wait.
        by_hand: How to do without the hub; empty for the folder of a model.
    """

    def __init__(
        self,
        repository: str,
        *,
        model: str,
        token: str | None,
        cancel: CancelToken | None = None,
        by_hand: str = "",
    ) -> None:
        self.repository: str = repository
        self.model: str = model
        self.token: str | None = token
        self._cancel = cancel or NeverCanceled()
        self._by_hand = by_hand
        self.is_asked: bool = False
        """True after the first answer."""

    def errors(self) -> contextlib.AbstractContextManager[None]:
        """Return a block that translates the client's errors."""
        return translate_hub_errors(
            self.repository, model=self.model, by_hand=self._by_hand, has_token=bool(self.token)
        )

    def find_commit(self, revision: str) -> str:
        """Return the commit of a branch or a tag.

        Raises:
            AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
        """
        path = f"/api/models/{self.repository}/revision/{quote(revision, safe='')}"
        return str(self._ask(lambda: self._get_json(path)[0]["sha"]))

    def list_files(self, commit: str) -> Listing:
        """Return the files of a commit.

        Raises:
            AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
        """
        files: dict[str, ListedFile] = {}
        following: str | None = (
            f"/api/models/{self.repository}/tree/{quote(commit, safe='')}?recursive=True"
        )
        while following is not None:
            page = following
            found, following = self._ask(lambda page=page: self._get_json(page))  # type: ignore[misc]
            files |= {
                str(entry["path"]): _listed(entry)
                for entry in found
                if entry.get("type") == "file" and is_safe_name(str(entry["path"]))
            }
        return files

    def first_bytes(self, commit: str, name: str, count: int) -> bytes:
        """Return the beginning of a file without downloading the rest.

        Raises:
            AuthenticationError, APIError, ConfigurationError: as ``hub_errors`` says.
        """

        def ask() -> bytes:
            found = bytearray()
            # A server without range requests would send the whole file.
            with self.open(commit, name, {"Range": f"bytes=0-{count - 1}"}) as answer:
                for piece in answer.iter_raw():
                    found += piece
                    if len(found) >= count:
                        break
            return bytes(found[:count])

        return self._ask(ask)

    @contextlib.contextmanager
    def open(self, commit: str, name: str, headers: dict[str, str]) -> Iterator[Any]:
        """Open a file of the hub and yield the answer, whose content has not come yet.

        Raises whatever the client raises.
        """
        from huggingface_hub import constants, hf_hub_url
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # Public, and not listed.
            get_session,
            hf_raise_for_status,
        )

        url = hf_hub_url(self.repository, name, revision=commit)
        seconds = constants.HF_HUB_DOWNLOAD_TIMEOUT
        # Ranges count bytes of the file, not of a compressed form.
        sent = self._headers() | {"Accept-Encoding": "identity"} | headers
        with get_session().stream(
            "GET", url, headers=sent, follow_redirects=True, timeout=seconds
        ) as answer:
            hf_raise_for_status(answer)
            yield answer

    def _headers(self) -> dict[str, str]:
        from huggingface_hub import get_token
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # Public, and not listed.
            build_hf_headers,
        )

        check_token(self.token or get_token())
        with disable_hub_telemetry():
            return dict(build_hf_headers(token=self.token))

    def _get_json(self, path: str) -> tuple[Any, str | None]:
        """Return the content of an answer, and the address of its next page."""
        from huggingface_hub import constants
        from huggingface_hub.utils import (  # type: ignore[attr-defined]  # Public, and not listed.
            get_session,
            hf_raise_for_status,
        )

        url = path if path.startswith("http") else f"{constants.ENDPOINT}{path}"
        answer = get_session().get(
            url, headers=self._headers(), follow_redirects=True, timeout=ANSWER_WITHIN_S
        )
        hf_raise_for_status(answer)
        self.is_asked = True
        following = answer.links.get("next", {}).get("url")
        return answer.json(), following

    def _ask(self, ask: Callable[[], T]) -> T:
        """Send a request; what passes by itself is tried again while there is time."""
        deadline = time.monotonic() + ANSWER_WITHIN_S
        pause, attempts = FIRST_PAUSE_S, 1
        reason: TioMagicError | None = None
        while True:
            try:
                with self.errors():
                    return run_in_time(ask, deadline - time.monotonic(), self._cancel)
            except TioMagicError as error:
                if reason is not None and isinstance(error.__cause__, HubSilentError):
                    # The time ended during another attempt: the first one says why.
                    raise reason from reason.__cause__
                reason = error
                asked = retry_after_of(error.__cause__)
                pause = pause if asked is None else asked
                over = time.monotonic() + pause >= deadline
                if over or attempts >= MAX_ATTEMPTS or not may_pass(error):
                    raise
            wait(pause, self._cancel)
            pause, attempts = pause * 2, attempts + 1


def may_pass(error: BaseException) -> bool:
    """Return True for a hub or a network in trouble; offline by choice is offline."""
    from huggingface_hub import constants

    if constants.HF_HUB_OFFLINE or not isinstance(error, TioMagicError) or not error.retryable:
        return False
    status = status_of(error.__cause__)
    return status is None or status >= 500 or status in TRANSIENT_STATUSES


def run_in_time(run: Callable[[], T], seconds: float, cancel: CancelToken) -> T:
    """Return what a function returns, if that is soon.

    Args:
        run: Runs in another thread, which is left behind when it takes too long.
        seconds: How long it may take.
        cancel: Ends the wait.

    Raises:
        HubSilentError: when it takes longer.
        GenerationCanceledError: when the job was canceled.
    """
    outcome: queue.SimpleQueue[tuple[Any, BaseException | None]] = queue.SimpleQueue()

    def work() -> None:
        try:
            outcome.put((run(), None))
        except BaseException as error:  # noqa: BLE001 - raised again by who waits
            outcome.put((None, error))

    threading.Thread(target=work, name="tiomagic-hub", daemon=True).start()
    deadline = time.monotonic() + seconds
    while True:
        try:
            result, error = outcome.get(
                timeout=max(0.001, min(POLL_S, deadline - time.monotonic()))
            )
        except queue.Empty:
            cancel.raise_if_canceled()
            if time.monotonic() >= deadline:
                raise HubSilentError(f"no answer in {ANSWER_WITHIN_S:g} s") from None
            continue
        if error is not None:
            raise error
        return result  # type: ignore[no-any-return]


def wait(seconds: float, cancel: CancelToken) -> None:
    """Wait, and look for a cancel meanwhile.

    Raises:
        GenerationCanceledError: when the job was canceled.
    """
    until = time.monotonic() + seconds
    while (left := until - time.monotonic()) > 0:
        cancel.raise_if_canceled()
        time.sleep(min(POLL_S, left))


def _listed(entry: dict[str, Any]) -> ListedFile:
    large = entry.get("lfs") or {}
    return ListedFile(
        size=int(large.get("size") or entry["size"]),
        git_sha1=str(entry["oid"]),
        sha256=large.get("oid") or large.get("sha256"),
        xet_hash=entry.get("xetHash"),
    )
