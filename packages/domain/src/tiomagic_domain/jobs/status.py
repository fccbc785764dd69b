"""The status of a job, and the table of legal transitions; ``job`` has the drawing."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class JobStatus(StrEnum):
    """The status of a job."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELING = "canceling"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELED = "canceled"

    @property
    def is_terminal(self) -> bool:
        """True for a terminal status."""
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
                # Only ``Job.again`` makes this transition, never a provider's report.
                JobStatus.QUEUED,
                JobStatus.CANCELING,
                JobStatus.COMPLETED,
                JobStatus.FAILED,
                JobStatus.CANCELED,
            }
        ),
        # The cancel came too late: the video is finished, or the run failed first.
        JobStatus.CANCELING: frozenset({JobStatus.COMPLETED, JobStatus.FAILED, JobStatus.CANCELED}),
        JobStatus.COMPLETED: frozenset(),
        JobStatus.FAILED: frozenset(),
        JobStatus.CANCELED: frozenset(),
    }
)
"""Every legal transition; the only table."""

TERMINAL: Final = frozenset(status for status, following in TRANSITIONS.items() if not following)
"""The terminal statuses."""
