"""The contract of the order in which a job repository lists the jobs of a queue."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta

from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.testing.repository import NOON, make_job


def ids_of(jobs: Iterable[Job]) -> list[str]:
    """Return the ids of jobs, in their order."""
    return [job.job_id for job in jobs]


class JobQueueContract:
    """What every job repository does with queues; a part of ``JobRepositoryContract``."""

    def test_a_queue_is_listed_in_order_of_submission(self, repository: JobRepository) -> None:
        """The oldest job of a queue comes first, and pages go on from there."""
        for number in range(5):
            repository.add(
                make_job(
                    job_id=str(number),
                    creation_time=NOON + timedelta(seconds=number // 2),
                    queue="one" if number != 2 else "other",
                    status=JobStatus.RUNNING if number == 0 else JobStatus.QUEUED,
                )
            )
        waiting = JobQuery(
            queue="one", status=frozenset({JobStatus.QUEUED}), oldest_first=True, limit=2
        )
        assert ids_of(repository.list(waiting)) == ["1", "3"]
        assert ids_of(repository.list(replace(waiting, after="3"))) == ["4"]
        assert ids_of(repository.list(replace(waiting, after="0"))) == ["1", "3"]
        both = frozenset({JobStatus.QUEUED, JobStatus.RUNNING})
        assert ids_of(repository.list(replace(waiting, status=both))) == ["0", "1"]
        assert ids_of(repository.list(replace(waiting, status=both, after="1"))) == ["3", "4"]

    def test_the_next_jobs_of_a_queue_come_by_priority(self, repository: JobRepository) -> None:
        """The highest priority comes first, then the oldest; running jobs have their own place."""
        for number, priority in enumerate([0, 2, 0, -1, 2]):
            moment = NOON + timedelta(seconds=number)
            repository.add(
                make_job(job_id=str(number), creation_time=moment, queue="one", priority=priority)
            )
        waiting = frozenset({JobStatus.QUEUED})
        query = JobQuery(queue="one", status=waiting, next_first=True)
        assert ids_of(repository.list(query)) == ["1", "4", "0", "2", "3"]
        assert ids_of(repository.list(replace(query, limit=1))) == ["1"]
        job = repository.get("3")
        repository.save(job.with_changes(at=NOON, priority=3))
        assert repository.get("3").priority == 3
        first_two = replace(query, limit=2)
        assert ids_of(repository.list(first_two)) == ["3", "1"]
        both = waiting | {JobStatus.RUNNING}
        assert ids_of(repository.list(replace(first_two, status=both))) == ["3", "1"]
