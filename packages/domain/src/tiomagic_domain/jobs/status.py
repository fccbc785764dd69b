"""Where a job can be in its life, and every move between; ``jobs`` draws it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class JobStatus(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """True when nothing follows."""
        return not TRANSITIONS[self]


TRANSITIONS: Final[Mapping[JobStatus, frozenset[JobStatus]]] = MappingProxyType(
    {
        JobStatus.QUEUED: frozenset(
            {
                JobStatus.RUNNING,
                JobStatus.CANCELING,
                JobStatus.COMPLETED,
                JobStatus.FAILED,
                JobStatus.CANCELED,
            }
        ),
        JobStatus.RUNNING: frozenset(
            {
                # Only ``Job.again`` takes this one: a provider's word never does.
                JobStatus.QUEUED,
                JobStatus.CANCELING,
                JobStatus.COMPLETED,
                JobStatus.FAILED,
                JobStatus.CANCELED,
            }
        ),
        # A stop that came too late: the video is there, or the run broke before it was heard.
        JobStatus.CANCELING: frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED}),
        JobStatus.COMPLETED: frozenset(),
        JobStatus.FAILED: frozenset(),
        JobStatus.CANCELED: frozenset(),
    }
)
"""Every legal move. The only place that knows."""

TERMINAL: Final = frozenset(status for status, following in TRANSITIONS.items() if not following)
"""The statuses that nothing follows."""
