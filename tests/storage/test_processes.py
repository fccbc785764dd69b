"""Several processes on one database and one folder, some of which are killed."""

import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from tests.storage import workers

from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.testing.outputs import make_video
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import FolderOutputStore, open_repository

PROCESSES, JOBS, SHARED, QUEUED = 5, 16, 4, 48


def test_a_fresh_database_is_opened_by_many_at_once(tmp_path):
    """Processes that meet no database yet make one together, and none of them fails."""
    urls = [f"sqlite:///{tmp_path}/{number}/jobs.db" for number in range(40)]
    workers.run_together(workers.open_and_add, 5, urls)
    assert [opened_by(url) for url in urls] == [5] * len(urls)


def test_a_fresh_postgresql_is_opened_by_many_at_once(postgresql_url):
    """The same on a server, where no file lock helps."""
    workers.run_together(workers.open_and_add, 3, [postgresql_url])
    assert opened_by(postgresql_url) == 3


def opened_by(url: str) -> int:
    repository = open_repository(url)
    jobs = repository.list(JobQuery())
    repository.close()
    return len(jobs)


@pytest.mark.slow
@pytest.mark.timeout(900)  # Five interpreters start and import on what may be a busy machine.
@pytest.mark.parametrize("database", ["sqlite_url", "postgresql_url"])
def test_many_processes_lose_no_update(database, request):
    """Processes write at once: all of it is there, each queued job was run by one."""
    url = request.getfixturevalue(database)
    repository = open_repository(url)
    for name in ("shared", "held"):
        repository.add(make_job(job_id=name, facts={"count": 0}))
    for number in range(QUEUED):
        repository.add(
            make_job(job_id=f"queued-{number}", queue=workers.QUEUE, facts={"run_by": []})
        )
    workers.run_together(workers.submit_and_update, PROCESSES, url, JOBS, SHARED)
    for name in ("shared", "held"):
        job = repository.get(name)
        assert (job.facts["count"], job.version) == (PROCESSES * SHARED, PROCESSES * SHARED + 1)
    assert repository.leases.all() == []
    done = repository.list(JobQuery(status=frozenset({JobStatus.COMPLETED}), limit=None))
    assert {job.job_id for job in done} == {
        *(f"{number}-{index:04}" for number in range(PROCESSES) for index in range(JOBS)),
        *(f"queued-{number}" for number in range(QUEUED)),
    }
    claimed = [job for job in done if job.queue is not None]
    assert [len(job.facts["run_by"]) for job in claimed] == [1] * QUEUED
    assert {job.version for job in done} == {3, 4}
    repository.close()


def test_a_killed_writer_leaves_a_whole_database(sqlite_url):
    """After kill -9 the file is sound and has every job that was said to be stored."""
    file = sqlite_url.removeprefix("sqlite:///")
    told: list[str] = []
    for _ in range(4):
        told += workers.kill_after(random.randint(1, 40), workers.write_until_killed, sqlite_url)
        with closing(sqlite3.connect(file)) as connection:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        repository = open_repository(sqlite_url)
        stored = {job.job_id: job for job in repository.list(JobQuery(limit=None))}
        repository.close()
        assert set(told) <= set(stored)
        assert {stored[job_id].status for job_id in told} == {JobStatus.RUNNING}


def test_a_killed_writer_leaves_no_half_of_a_video(tmp_path: Path):
    """After kill -9 the file under the final name is one whole video."""
    for _ in range(4):
        told = workers.kill_after(random.randint(1, 12), workers.save_until_killed, tmp_path)
        content = Path(told[-1]).read_bytes()
        assert len(content) == workers.VIDEO_BYTES
        assert len(set(content)) == 1
    store = FolderOutputStore(tmp_path / "videos")
    path = store.save(make_job(job_id="00000000-1111"), make_video(tmp_path / "spool", b"last"))
    assert path.read_bytes() == b"last"
