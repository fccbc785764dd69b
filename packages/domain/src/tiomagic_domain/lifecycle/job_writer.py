"""Changing a stored job while others may change it too."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from tiomagic_domain.errors import StaleJobError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository


def ignore_change(job: Job) -> None:
    """Take a changed job and do nothing."""


class JobWriter:
    """Stores changes of jobs and tells of them.

    Args:
        repository: Where jobs are kept.
        clock: The time of each change.
        on_change: Told every stored change that is not marked as quiet.
    """

    def __init__(
        self,
        repository: JobRepository,
        clock: Clock,
        on_change: Callable[[Job], None] = ignore_change,
    ) -> None:
        self._repository = repository
        self._clock = clock
        self._on_change = on_change

    def add(self, job: Job) -> None:
        """Store a new job."""
        self._repository.add(job)
        self._on_change(job)

    def change(
        self, job_id: str, change: Callable[[Job, datetime], Job | None], *, quiet: bool = False
    ) -> Job:
        """Read, change and save a job until no other writer comes between.

        Ends: each round that is lost is a round that another writer has won.

        Args:
            job_id: Which job.
            change: Gives the changed job, or None when there is nothing to change.
            quiet: True for a change that is not worth telling, such as a step of many.

        Returns:
            The job as it is stored now.
        """
        while True:
            job = self._repository.get(job_id)
            changed = change(job, self._clock.now())
            if changed is None:
                return job
            try:
                saved = self._repository.save(changed)
            except StaleJobError:
                continue
            if not quiet:
                self._on_change(saved)
            return saved
