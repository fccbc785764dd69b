"""Use cases on stored jobs that need no provider: tags and notes, listing, deleting."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.lifecycle.job_updater import JobUpdater, ignore_change
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import OutputStore

PAGE = 200
"""Page size when all jobs are listed."""


class Archive:
    """Reads, labels and deletes stored jobs, without calling a provider.

    Args:
        repository: Where jobs are kept.
        outputs: Where finished videos are.
        clock: The time.
        on_change: Called with each changed or deleted job.
    """

    def __init__(
        self,
        *,
        repository: JobRepository,
        outputs: OutputStore,
        clock: Clock,
        on_change: Callable[[Job], None] = ignore_change,
    ) -> None:
        self._repository = repository
        self._outputs = outputs
        self._on_change = on_change
        self._updater = JobUpdater(repository, outputs, clock, on_change)

    def label(
        self,
        job_id: str,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        note: str | None = None,
    ) -> Job:
        """Set tags and the note of a job in any status, and return it.

        Safe in races: no writer's tags are lost.

        Args:
            job_id: Which job.
            add: Tags to add.
            remove: Tags to remove; a missing one is no error.
            note: The new note; None keeps the old one.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when a tag is refused; see ``Job.labelled``.
        """
        wanted, unwanted = tuple(add), {tag.strip() for tag in remove}

        def labelled(job: Job) -> Job:
            kept = tuple(tag for tag in job.tags if tag not in unwanted)
            return job.with_labels(at=job.last_updated, tags=(*kept, *wanted), note=note)

        return self._updater.update(
            self._repository.get(job_id),
            lambda job, at: (
                None if labelled(job) == job else replace(labelled(job), last_updated=at)
            ),
        )

    def run_next(self, job_id: str) -> Job:
        """Move a job that waits for a worker to the front of its queue, and return it.

        Jobs that run go on. A job that is at the front stays as it is.

        Args:
            job_id: Which job.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when the job does not wait in a queue of this job store.
        """

        def first(job: Job, at: datetime) -> Job | None:
            if job.status is not JobStatus.QUEUED or job.queue is None:
                raise _not_waiting(job)
            waiting = JobQuery(
                queue=job.queue, status=frozenset({JobStatus.QUEUED}), next_first=True, limit=1
            )
            (front,) = self._repository.list(waiting) or [job]
            if front.job_id == job.job_id:
                return None
            return job.with_changes(at=at, priority=front.priority + 1)

        return self._updater.update(self._repository.get(job_id), first)

    def each(self, query: JobQuery) -> Iterator[Job]:
        """Yield every matching job in the query's order, page by page.

        Jobs that are added meanwhile may be missing, deleted ones cause no error, and none comes
        twice.

        Raises:
            ResourceNotFoundError: when ``query.after`` names no job.
        """
        left, given = query.limit, None
        while left is None or left > 0:
            limit = PAGE if left is None else min(PAGE, left)
            try:
                page = self._repository.list(replace(query, limit=limit))
            except ResourceNotFoundError:
                if given is None:
                    raise
                query = _behind(given, query)  # The last job of the previous page has been deleted.
                continue
            fresh = [job for job in page if given is None or _follows(job, given, query)]
            yield from fresh
            if len(page) < limit:
                return
            left = None if left is None else left - len(fresh)
            given = fresh[-1] if fresh else given
            query = replace(query, after=page[-1].job_id)

    def delete(self, job_id: str, *, files: bool) -> list[Path]:
        """Delete a job that is over.

        Args:
            job_id: Which job.
            files: True to delete its video and recipe too.

        Returns:
            The files that were deleted.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when the job is not over; nothing was deleted.
            ProcessingError: when a file cannot be deleted; the job is still there.
        """
        job = self._repository.get(job_id)
        if not job.status.is_terminal:
            raise ValidationError(
                f"job {job_id} is {job.status} and cannot be deleted before it is over: cancel it "
                "first, or wait for its end",
                details={"job_id": job_id, "status": job.status.value},
                code=ErrorCode.JOB_NOT_OVER,
            )
        # The files first: after a crash in between, the job is still there and can be deleted
        # again.
        deleted = self._outputs.remove(job) if files else []
        self._repository.delete(job_id)
        self._on_change(job)
        return deleted


def _not_waiting(job: Job) -> ValidationError:
    if job.status.is_terminal:
        why = f"is {job.status}: rerun it"
    elif job.status is not JobStatus.QUEUED:
        why = f"is {job.status} already"
    else:
        why = f"waits at {job.provider}, which keeps its own order"
    return ValidationError(
        f"job {job.job_id} cannot be moved to the front of its queue: it {why}",
        details={"job_id": job.job_id, "status": job.status.value},
        code=ErrorCode.JOB_NOT_WAITING,
    )


def _behind(given: Job, query: JobQuery) -> JobQuery:
    """Return a query that continues at the creation time of a job, jobs of that time included."""
    if query.oldest_first:
        return replace(query, after=None, since=given.creation_time)
    just_after = given.creation_time + timedelta(microseconds=1)  # ``until`` is exclusive.
    return replace(query, after=None, until=just_after)


def _follows(job: Job, given: Job, query: JobQuery) -> bool:
    here, there = (given.creation_time, given.job_id), (job.creation_time, job.job_id)
    return there > here if query.oldest_first else there < here
