"""The log that people and old scripts read."""

import json
from datetime import timedelta

import pytest
from tests.storage import workers

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.testing.repository import NOON, MemoryJobRepository, make_job
from tiomagic_storage import GenerationLog, generation_log, open_repository
from tiomagic_storage._files import locked


@pytest.fixture
def repository():
    repository = MemoryJobRepository()
    for number in range(3):
        time = NOON + timedelta(seconds=number)
        repository.add(make_job(job_id=str(number), prompt="Füchslein \ud800", creation_time=time))
    return repository


def test_the_log_mirrors_the_newest_jobs(tmp_path, repository):
    """The file holds the dicts of the newest jobs, newest first, and no temporary file is left."""
    GenerationLog(tmp_path / "log.json", repository, limit=2).refresh()
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert told == {"jobs": [repository.get(name).to_dict() for name in ("2", "1")]}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".log.json.lock", "log.json"]


def test_a_refresh_replaces(tmp_path, repository):
    """The log is what is stored now, and nothing of what was there before."""
    log = GenerationLog(tmp_path / "log.json", repository)
    (tmp_path / "log.json").write_text("by an old version")
    log.refresh()
    repository.add(make_job(job_id="new", creation_time=NOON + timedelta(days=1)))
    log.refresh()
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [job["job_id"] for job in told["jobs"]] == ["new", "2", "1", "0"]


def test_of_several_processes_the_newest_word_stays(tmp_path, sqlite_url):
    """An older snapshot never overwrites a newer one: in the end the log has every job."""
    open_repository(sqlite_url).close()
    log = tmp_path / "log.json"
    workers.run_together(workers.add_and_log, 4, sqlite_url, log, 15)
    jobs = json.loads(log.read_text("utf-8"))["jobs"]
    assert {job["job_id"] for job in jobs} == {
        f"{number}-{index}" for number in range(4) for index in range(15)
    }


def test_a_log_that_cannot_be_written_is_an_error_to_log(tmp_path, repository):
    """A folder that is gone or under the file's name is an error with the path."""
    with pytest.raises(ProcessingError, match=r"gone.log\.json") as caught:
        GenerationLog(tmp_path / "gone" / "log.json", repository).refresh()
    assert caught.value.code == "generation_log"
    (tmp_path / "log.json").mkdir()
    with pytest.raises(ProcessingError, match=r"log\.json"):
        GenerationLog(tmp_path / "log.json", repository).refresh()


def test_a_lock_that_is_never_freed_is_an_error(tmp_path, repository, monkeypatch):
    """A stopped process that holds the lock does not stop everybody for ever."""
    monkeypatch.setattr(generation_log, "LOCK_TIMEOUT_S", 0.02)
    log = GenerationLog(tmp_path / "log.json", repository)
    held = locked(tmp_path / ".log.json.lock", timeout_s=0)
    with held, pytest.raises(ProcessingError, match="locked by another process"):
        log.refresh()
    log.refresh()
    assert (tmp_path / "log.json").exists()
