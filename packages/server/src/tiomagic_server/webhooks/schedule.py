"""When an attempt is repeated, and when a delivery is given up.

The schedule is the one that the rules of Standard Webhooks recommend: ten attempts in about three
days, with random pauses so that many failed messages do not come again at one moment.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from tiomagic_domain.ports.deliveries import Delivery, DeliveryState

PAUSES: Final = (
    timedelta(seconds=5),
    timedelta(minutes=5),
    timedelta(minutes=30),
    timedelta(hours=2),
    timedelta(hours=5),
    timedelta(hours=10),
    timedelta(hours=14),
    timedelta(hours=20),
    timedelta(hours=24),
)
"""Pauses after the first attempt, the second, and so on; after the last one it is given up."""
MOST_JITTER: Final = 0.2
"""Largest random part that is added to a pause."""
LONGEST_ASKED: Final = timedelta(hours=24)
"""The longest pause that a receiver may ask for."""
GONE: Final = 410
"""The status by which a receiver says that it wants no more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AttemptOutcome:
    """How an attempt ended."""

    status: int | None = None
    """Of the answer; None when there was none."""
    trouble: str = ""
    """Why it failed; empty when the receiver took it."""
    is_final: bool = False
    """True when a further attempt cannot succeed."""
    retry_after_s: float | None = None
    """Seconds that the receiver asked to wait."""


def record_attempt(
    delivery: Delivery,
    outcome: AttemptOutcome,
    at: datetime,
    draw: Callable[[], float] = random.random,
) -> Delivery:
    """Return a delivery after an attempt: delivered, due again, or given up.

    Args:
        delivery: As it was sent.
        outcome: How the attempt ended.
        at: The moment, with zone.
        draw: Gives a random number from 0 to 1.
    """
    attempts = delivery.attempts + 1
    after = replace(
        delivery, attempts=attempts, answer=outcome.status, trouble=outcome.trouble, next_at=at
    )
    if not outcome.trouble:
        return replace(after, state=DeliveryState.DELIVERED, settled_at=at)
    is_last = attempts > len(PAUSES) or outcome.is_final or outcome.status == GONE
    if is_last:
        return replace(after, state=DeliveryState.GIVEN_UP, settled_at=at)
    pause = PAUSES[attempts - 1] * (1 + MOST_JITTER * draw())
    asked = timedelta(seconds=outcome.retry_after_s or 0)
    pause = max(pause, min(asked, LONGEST_ASKED))
    return replace(after, state=DeliveryState.DUE, next_at=at + pause)
