"""A stored job that cannot be read hides no other one."""

import logging
import sqlite3
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.testing import make_job
from tiomagic_storage import SqlJobRepository

NOON = datetime(2026, 11, 29, 12, tzinfo=UTC)
DAMAGED = {
    "feature": "'time_travel'",
    "status": "'paused'",
    "required_args": "'[1, 2]'",
    "optional_args": "'{\"seed\": '",
    "facts": "'7'",
    "tags": "'{\"a\": 1}'",
    "progress": "'[]'",
    "last_updated": "'2026-11-29T12:00:00'",
    "started_at": "'yesterday'",
    "model": "x'00ff'",
    "note": "x'00ff'",
    "result_video": "x'00ff'",
}
"""What another program, a newer version or a broken disk may have left in a column."""


def damage(url: str, job_id: str, column: str) -> None:
    """Write into a row what no version of this package writes."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as connection, connection:
        # The schema would refuse some of it; what other programs write has passed no such check.
        connection.execute("PRAGMA ignore_check_constraints = ON")
        statement = f"UPDATE tiomagic_jobs SET {column} = {DAMAGED[column]} WHERE job_id = ?"
        assert connection.execute(statement, (job_id,)).rowcount == 1


@pytest.mark.parametrize("column", DAMAGED)
def test_one_bad_row_hides_no_other(
    sqlite_repository: SqlJobRepository,
    sqlite_url: str,
    column: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A listing has all jobs but the bad one, which is logged; asking for that one says why."""
    for number in range(4):
        moment = NOON + timedelta(seconds=number)
        sqlite_repository.add(make_job(job_id=str(number), creation_time=moment))
    damage(sqlite_url, "2", column)
    with caplog.at_level(logging.WARNING, logger="tiomagic.storage"):
        found = [job.job_id for job in sqlite_repository.list(JobQuery())]
    assert found == ["3", "1", "0"]
    assert "'2'" in caplog.text
    with pytest.raises(ProcessingError, match="cannot be read"):
        sqlite_repository.get("2")


@pytest.mark.parametrize("bad", [["5", "4"], ["5"], ["3"], ["0"], ["5", "4", "3", "2", "1"]])
def test_pages_go_on_behind_bad_rows(
    sqlite_repository: SqlJobRepository, sqlite_url: str, bad: list[str]
) -> None:
    """A page is short only at the end: a reader that stops at a short page misses nothing."""
    for number in range(6):
        moment = NOON + timedelta(seconds=number)
        sqlite_repository.add(make_job(job_id=str(number), creation_time=moment))
    for job_id in bad:
        damage(sqlite_url, job_id, "status")
    query = JobQuery(limit=2)
    seen: list[str] = []
    page = sqlite_repository.list(query)
    while page:
        seen += [job.job_id for job in page]
        page = sqlite_repository.list(replace(query, after=seen[-1]))
        assert len(page) == min(2, 6 - len(bad) - len(seen))
    assert seen == [job for job in "543210" if job not in bad]
