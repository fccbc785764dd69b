"""The jobs that the coordinator knows, in memory and on the disk."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from tiomagic_domain.errors import ProcessingError
from tiomagic_ray.cluster.job_records import (
    DONE,
    RUNNING,
    WAITING,
    JobRecord,
    JobRecords,
    sweep_shared_folders,
)


class JobTable:
    """The jobs by their ids, oldest first.

    A job and a run begin when they are on the disk. What else becomes of them counts at once: a
    full disk is written to later, and loses no video that was made.

    Args:
        records: The coordinator's folder, from which it is filled.
        on_end: Called with the id of each job that is over.
    """

    def __init__(self, records: JobRecords, on_end: Callable[[str], None]) -> None:
        self._records = records
        self._on_end = on_end
        self._jobs = {record.job_id: record for record in records.load()}
        # Those that are not over: of a week's jobs, few.
        self._open = {one.job_id: one for one in self._jobs.values() if one.state != DONE}
        self._unwritten: dict[str, JobRecord] = {}

    def __iter__(self) -> Iterator[JobRecord]:
        return iter(list(self._jobs.values()))

    def find(self, job_id: str | None) -> JobRecord | None:
        """Return a job by its id."""
        return None if job_id is None else self._jobs.get(job_id)

    def add(self, record: JobRecord) -> None:
        """Take a job.

        Raises:
            ProcessingError: when the disk has no place for it; it is not taken.
        """
        # On the disk before it is confirmed: what was confirmed is never lost.
        self._records.save(record)
        self._jobs[record.job_id] = self._open[record.job_id] = record

    def save(self, record: JobRecord) -> None:
        """Write what has changed of a job, now or as soon as the disk has a place for it."""
        self._unwritten[record.job_id] = record
        with contextlib.suppress(ProcessingError):
            self._records.save(record)
            del self._unwritten[record.job_id]

    def write_rest(self) -> None:
        """Write what the disk had no place for."""
        for record in list(self._unwritten.values()):
            self.save(record)
            if record.job_id in self._unwritten:
                return

    def begin(self, record: JobRecord, worker: str) -> bool:
        """Note that a worker is to run a job; False if that cannot be written, and it waits on."""
        record.begin_attempt(worker)
        # On the disk before the worker has it: a later coordinator does not begin it again.
        self.save(record)
        if record.job_id not in self._unwritten:
            return True
        record.state, record.worker, record.attempt = WAITING, None, None
        return False

    def end(self, record: JobRecord, outcome: dict[str, Any]) -> None:
        """Take the outcome of a job, which may be new here."""
        record.state, record.outcome, record.task = DONE, outcome, None
        record.attempt = record.progress = None
        self._jobs[record.job_id] = record
        self._open.pop(record.job_id, None)
        self._on_end(record.job_id)
        self.save(record)

    def waiting(self) -> list[JobRecord]:
        """Return those that wait for a worker, oldest first."""
        return [record for record in self._open.values() if record.state == WAITING]

    def running(self) -> list[JobRecord]:
        """Return those that a worker has been given."""
        return [record for record in self._open.values() if record.state == RUNNING]

    def count_states(self) -> dict[str, int]:
        """Return how many there are of each state."""
        states = [record.state for record in self._jobs.values()]
        return {state: states.count(state) for state in (WAITING, RUNNING, DONE)}

    async def sweep(self) -> None:
        """Forget what is too old, here and in the folders that callers share with the cluster."""
        for job_id in self._records.sweep():
            self._jobs.pop(job_id, None)
            self._unwritten.pop(job_id, None)
        await asyncio.to_thread(sweep_shared_folders, list(self._jobs.values()))
