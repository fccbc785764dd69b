"""The retry policy of requests to Modal: polls and downloads are retried, submissions never."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from tiomagic_domain.errors import APIError
from tiomagic_media.fetch.retry import build_retry_policy
from tiomagic_modal.errors import translate_error

if TYPE_CHECKING:
    from tenacity import Retrying

MAX_FIRST_PAUSE_S = 0.25
"""The longest first pause; Modal's client has made some short retries itself by then. Each later
pause may be twice as long. All are random, so that callers that failed together do not retry
together."""


def build_retrying(what: str, *, within_s: float) -> Retrying:
    """Return a caller that retries a function until it succeeds; the last error is raised as it is.

    Transient errors are retried: Modal's own faults and limits, and broken connections.

    Args:
        what: Names the request in the log.
        within_s: Seconds after which no new attempt begins.
    """
    return build_retry_policy(
        what,
        _is_transient,
        within_s=within_s,
        attempts=None,
        pause_s=MAX_FIRST_PAUSE_S,
        log=logging.getLogger("tiomagic.modal"),
    )


def _is_transient(error: BaseException) -> bool:
    # The builtin TimeoutError is an answer of Modal: the call is still waiting or running.
    if not isinstance(error, Exception) or isinstance(error, TimeoutError):
        return False
    ours = error if isinstance(error, APIError) else translate_error(error, "ask")
    return isinstance(ours, APIError) and ours.retryable
