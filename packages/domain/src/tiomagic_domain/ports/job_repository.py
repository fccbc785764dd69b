"""Port: the job repository, which stores jobs."""

from __future__ import annotations

from typing import Protocol

from tiomagic_domain.jobs.job import Job, JobQuery


class JobRepository(Protocol):
    """Stores jobs. Safe for several threads and several processes."""

    def add(self, job: Job) -> None:
        """Store a new job durably.

        Raises:
            ProcessingError: when a job with this id is stored already, or the store cannot write;
                with the code ``key_taken`` when another job has its ``idempotency_key``. If several
                with one key are added at once, one is stored.
        """
        ...

    def get(self, job_id: str) -> Job:
        """Return the newest stored state of a job.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        ...

    def save(self, job: Job) -> Job:
        """Store a changed job durably, unless it was saved since it was read (compare-and-swap).

        Returns:
            The job as stored: the same with ``version`` one higher.

        Raises:
            StaleJobError: when the stored version is not ``job.version``; nothing is changed.
            ResourceNotFoundError: when there is no such job.
        """
        ...

    def list(self, query: JobQuery) -> list[Job]:
        """Return the jobs that match, newest first (by creation time, then id) or oldest first.

        A stored job that cannot be read is skipped and logged: it must not hide the others.

        Raises:
            ResourceNotFoundError: when ``query.after`` names no job.
        """
        ...

    def count(self, query: JobQuery) -> int:
        """Return how many jobs match; ``limit`` and ``after`` of the query are ignored."""
        ...

    def delete(self, job_id: str) -> None:
        """Delete a job durably, in any status. Its video stays.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        ...
