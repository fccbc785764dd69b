"""The job repository over a SQL database."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Self

from sqlalchemy import Connection, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, StaleJobError
from tiomagic_domain.jobs.job import Job, JobQuery
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.money.sums import CostQuery, CostSum
from tiomagic_domain.ports.cost_keeping import KeepsCosts
from tiomagic_domain.ports.deliveries import KeepsDeliveries
from tiomagic_domain.ports.leases import KeepsLeases
from tiomagic_storage.database.engine import Database, build_database
from tiomagic_storage.database.schema import ensure_current
from tiomagic_storage.database.search_index import select_candidates
from tiomagic_storage.database.tables import from_row, jobs, to_row
from tiomagic_storage.jobs.costs import insert_within, read_costs, read_taken
from tiomagic_storage.jobs.deliveries import SqlDeliveries
from tiomagic_storage.jobs.filters import count_jobs, select_jobs
from tiomagic_storage.jobs.leases import SqlLeases
from tiomagic_storage.jobs.video_paths import VideoPaths

_LOG = logging.getLogger("tiomagic.storage")


class SqlJobRepository(KeepsLeases, KeepsCosts, KeepsDeliveries):
    """Keeps jobs in SQLite or PostgreSQL.

    Thread-safe. Several processes may each open the same database, and a forked child may use its
    parent's repository. A write has reached the disk when its method returns.

    Args:
        database: With its tables created; ``open`` does that.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self._videos = VideoPaths(database.file)

    @classmethod
    def open(cls, url: str) -> Self:
        """Open the repository at a database URL; create or update its tables when needed.

        Raises:
            ConfigurationError: when there is no usable database at the URL.
            ProcessingError: when another process holds the database for too long.
        """
        database = build_database(url)
        try:
            ensure_current(database)
            database.watch_file(ensure_current)
        except BaseException:
            database.close()
            raise
        return cls(database)

    @property
    def location(self) -> str:
        """Path of the file, or the URL without its password."""
        return self._database.location

    @property
    def leases(self) -> SqlLeases:
        """The leases in this database, over the same connections."""
        return SqlLeases(self._database)

    @property
    def deliveries(self) -> SqlDeliveries:
        """The deliveries of webhooks in this database, over the same connections."""
        return SqlDeliveries(self._database)

    def close(self) -> None:
        """Close all connections. Idempotent; a later use opens new ones."""
        self._database.close()

    def add(self, job: Job) -> None:
        """Store a new job durably.

        Raises:
            ProcessingError: when a job with this id is stored already, or the store cannot write.
        """
        row = self._to_row(job)
        self._insert(job, lambda connection: connection.execute(insert(jobs), row))

    def add_within(self, job: Job, budgets: Sequence[Budget], rate: JobRate | None = None) -> None:
        """Store a new job durably, if it fits into every budget and the rate; see the port.

        Raises:
            RateLimitError: nothing was stored.
            ConfigurationError: with the code ``over_budget``; nothing was stored.
            ProcessingError: as ``add``.
        """
        row = self._to_row(job)
        self._insert(job, lambda connection: insert_within(connection, job, row, budgets, rate))

    def sum_taken(self, budget: Budget, at: datetime) -> Money:
        """Return what the period of a budget has taken so far; see the port."""
        with self._database.connection() as connection:
            return read_taken(connection, budget, at)

    def sum_costs(self, query: CostQuery) -> Sequence[CostSum]:
        """Return the sums of the charges of stored jobs; see the port."""
        with self._database.connection() as connection:
            return read_costs(connection, query)

    def _insert(self, job: Job, write: Callable[[Connection], object]) -> None:
        with self._database.connection() as connection:
            try:
                write(connection)
            except IntegrityError as error:
                if self._is_key_taken(connection, job.idempotency_key):
                    raise ProcessingError(
                        f"another job has the idempotency key {job.idempotency_key!r}",
                        details={"idempotency_key": job.idempotency_key},
                        code=ErrorCode.KEY_TAKEN,
                    ) from error
                raise ProcessingError(
                    f"job {job.job_id!r} is stored already",
                    details={"job_id": job.job_id},
                    code=ErrorCode.JOB_EXISTS,
                ) from error

    def _is_key_taken(self, connection: Connection, key: str | None) -> bool:
        """Return whether a stored job has an idempotency key."""
        if key is None:
            return False
        return (
            connection.scalar(select(jobs.c.job_id).where(jobs.c.idempotency_key == key))
            is not None
        )

    def get(self, job_id: str) -> Job:
        """Return the newest stored state of a job.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        with self._database.connection() as connection:
            row = connection.execute(select(jobs).where(jobs.c.job_id == job_id)).mappings().first()
        if row is None:
            raise self._not_found_error(job_id)
        return self._from_row(row)

    def save(self, job: Job) -> Job:
        """Store a changed job durably, unless it was saved since it was read (compare-and-swap).

        One statement compares and increments the version, so there is no race with other writers.

        Raises:
            StaleJobError: when the stored version is not ``job.version``; nothing is changed.
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the store cannot write.
        """
        saved = replace(job, version=job.version + 1)
        unchanged = (jobs.c.job_id == job.job_id) & (jobs.c.version == job.version)
        with self._database.connection() as connection:
            written = connection.execute(update(jobs).where(unchanged).values(self._to_row(saved)))
            if written.rowcount:
                return saved
            stored = connection.scalar(select(jobs.c.version).where(jobs.c.job_id == job.job_id))
        if stored is None:
            raise self._not_found_error(job.job_id)
        raise StaleJobError(
            f"job {job.job_id!r} has been changed since it was read",
            details={"job_id": job.job_id, "version": job.version, "stored": stored},
        )

    def list(self, query: JobQuery) -> list[Job]:
        """Return the jobs that match, newest first or oldest first.

        A row that this version cannot read is logged and skipped, and the next one takes its place:
        it must not hide other jobs, nor end a listing before its last page.

        Raises:
            ResourceNotFoundError: when ``query.after`` names no job.
        """
        with self._database.connection() as connection:
            last = None if query.after is None else self._find_page_start(connection, query.after)
            few = select_candidates(connection, query)
            found: list[Job] = []
            missing = query.limit
            while True:
                wanted = replace(query, limit=missing)
                rows = connection.execute(select_jobs(wanted, last, few)).mappings().all()
                found += map(self._with_local_path, _parse_rows(rows))
                if missing is None or len(rows) < missing or len(found) == query.limit:
                    return found
                missing = (query.limit or 0) - len(found)
                last = rows[-1]["creation_time"], rows[-1]["job_id"]

    def count(self, query: JobQuery) -> int:
        """Return how many jobs match; ``limit`` and ``after`` are ignored."""
        with self._database.connection() as connection:
            few = select_candidates(connection, query)
            return int(connection.execute(count_jobs(query, few)).scalar_one())

    def delete(self, job_id: str) -> None:
        """Delete a job durably, whatever its status.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the store cannot write.
        """
        with self._database.connection() as connection:
            if not connection.execute(delete(jobs).where(jobs.c.job_id == job_id)).rowcount:
                raise self._not_found_error(job_id)

    def _to_row(self, job: Job) -> dict[str, Any]:
        return to_row(replace(job, result_video=self._videos.to_stored(job.result_video)))

    def _from_row(self, row: Mapping[Any, Any]) -> Job:
        return self._with_local_path(from_row(row))

    def _with_local_path(self, job: Job) -> Job:
        place = self._videos.to_local(job.result_video)
        return job if place == job.result_video else replace(job, result_video=place)

    def _find_page_start(self, connection: Connection, job_id: str) -> tuple[str, str]:
        time = connection.scalar(select(jobs.c.creation_time).where(jobs.c.job_id == job_id))
        if time is None:
            raise self._not_found_error(job_id)
        return time, job_id

    def _not_found_error(self, job_id: str) -> ResourceNotFoundError:
        return ResourceNotFoundError(
            f"there is no job {job_id!r} in {self.location}",
            details={"job_id": job_id, "database": self.location},
        )


def _parse_rows(rows: Iterable[Mapping[Any, Any]]) -> list[Job]:
    """Return the jobs of the rows that this version understands."""
    found = []
    for row in rows:
        try:
            found.append(from_row(row))
        except ProcessingError as error:
            _LOG.warning("%s", error.message)
    return found
