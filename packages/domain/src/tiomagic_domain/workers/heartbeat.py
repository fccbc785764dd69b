"""The heartbeat of a worker: a thread that renews its leases while another thread runs the job."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

MAX_MISSED_HEARTBEATS = 10
"""Heartbeats that a worker may miss before its leases expire."""
MAX_HEARTBEAT_INTERVAL_S = 5.0
"""Most seconds between two heartbeats: a heartbeat also reads cancel requests."""


class HasHeartbeat(Protocol):
    """Has a heartbeat; ``Worker`` does."""

    def send_heartbeat(self) -> None:
        """Renew the leases."""
        ...


@contextmanager
def keep_alive(
    worker: HasHeartbeat, stale_s: float, on_failure: Callable[[Exception], None]
) -> Iterator[None]:
    """Call ``tick`` every few seconds, for as long as the block runs.

    Args:
        worker: The worker.
        stale_s: Seconds of silence after which its leases expire.
        on_failure: Called with the exception of a ``tick``. The next one may succeed; a worker that
            stays silent is killed with its job.
    """
    done = threading.Event()
    seconds = min(stale_s / MAX_MISSED_HEARTBEATS, MAX_HEARTBEAT_INTERVAL_S)

    def beat() -> None:
        while not done.wait(seconds):
            try:
                worker.send_heartbeat()
            except Exception as error:  # noqa: BLE001 - see on_failure
                on_failure(error)

    thread = threading.Thread(target=beat, name="tiomagic-heartbeat", daemon=True)
    thread.start()
    try:
        yield
    finally:
        done.set()
        thread.join()
