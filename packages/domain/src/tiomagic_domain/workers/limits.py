"""The timeouts and intervals of a worker."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerLimits:
    """Timeouts and intervals of a worker, in seconds."""

    idle_s: float = 300.0
    """Idle timeout: the worker ends after this time without a job."""
    poll_s: float = 0.5
    """Interval between two polls for a job."""
    cancel_timeout_s: float = 20.0
    """Timeout of a canceled run; after it the watchdog ends the process, because loading and
    decoding cannot be interrupted otherwise."""
    store_timeout_s: float = 600.0
    """Timeout of a store that cannot be read or written; after it the worker ends."""
