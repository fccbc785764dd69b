"""The retry policy of downloads and polls: growing random pauses. Submissions are never retried."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tenacity import RetryCallState, Retrying

LOG: logging.Logger = logging.getLogger("tiomagic.media")

MAX_ATTEMPTS = 4
"""With pauses of up to 0.5, 1 and 2 s: a fault that lasts longer will not pass soon."""

MAX_FIRST_PAUSE_S = 0.5
"""The longest first pause. Each later one may be twice as long. All are random, so that callers
that failed together do not retry together."""


def build_retry_policy(
    what: str,
    passing: Callable[[BaseException], bool],
    *,
    within_s: float,
    attempts: int | None = MAX_ATTEMPTS,
    pause_s: float = MAX_FIRST_PAUSE_S,
    log: logging.Logger = LOG,
) -> Retrying:
    """Return a caller that retries a function until it succeeds; the last error is raised as it is.

    Args:
        what: Names the call in the log; no secret.
        passing: Says whether an error is transient.
        within_s: Seconds after which no new attempt begins.
        attempts: Most attempts; None for no bound but the time.
        pause_s: See :data:`MAX_FIRST_PAUSE_S`.
        log: Gets a line for each attempt that failed.
    """
    import tenacity

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.debug(
            "attempt %d failed: %s (%s); again in %.2f s",
            state.attempt_number,
            what,
            type(error).__name__,
            state.upcoming_sleep,
        )

    return tenacity.Retrying(
        retry=tenacity.retry_if_exception(passing),
        wait=tenacity.wait_random_exponential(multiplier=pause_s),
        stop=tenacity.stop_any(
            tenacity.stop_never if attempts is None else tenacity.stop_after_attempt(attempts),
            tenacity.stop_before_delay(within_s),
        ),
        before_sleep=tell,
        reraise=True,
    )
