"""What a worker needs of the use cases: run a claimed job, abandon, requeue or fail it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from tiomagic_domain.jobs.job import Job


class JobRunner(Protocol):
    """Runs jobs; ``Generation`` does."""

    def run_job(self, job: Job, *, stop_requested: Callable[[], bool]) -> Job:
        """Run a claimed job to its end."""
        ...

    def abandon(self, job: Job, *, stop_requested: bool) -> Job:
        """Store the end of a job whose process is about to be killed during the run."""
        ...

    def requeue(self, job: Job, error: Exception) -> None:
        """Queue a job again that a failure of the machine has stopped."""
        ...

    def fail(self, job: Job, error: Exception) -> None:
        """Store that a job failed, because the job itself is the cause."""
        ...
