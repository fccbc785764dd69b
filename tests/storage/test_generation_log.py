"""The log that people and old scripts read."""

import json
import threading
import time
from datetime import timedelta

import pytest
from tests.storage import workers

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.testing.repository import NOON, MemoryJobRepository, make_job
from tiomagic_storage import GenerationLog, open_repository
from tiomagic_storage.files import generation_log
from tiomagic_storage.files.atomic import lock_file


@pytest.fixture
def repository():
    repository = MemoryJobRepository()
    for number in range(3):
        time = NOON + timedelta(seconds=number)
        repository.add(make_job(job_id=str(number), prompt="Füchslein \ud800", creation_time=time))
    return repository


def test_the_log_mirrors_the_newest_jobs(tmp_path, repository):
    """The file holds the dicts of the newest jobs, newest last, and no temporary file is left."""
    GenerationLog(tmp_path / "log.json", repository, limit=2).refresh()
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert told == {"jobs": [repository.get(name).to_dict() for name in ("1", "2")]}
    assert sorted(path.name for path in tmp_path.iterdir()) == [".log.json.lock", "log.json"]


def test_the_lock_may_lie_elsewhere(tmp_path, repository):
    """A folder of its own, made if it does not exist: the log's folder has the log alone."""
    hidden = tmp_path / "state" / "deep"
    (tmp_path / "work").mkdir()
    log = GenerationLog(tmp_path / "work" / "log.json", repository, lock_folder=hidden)
    log.refresh()
    assert [path.name for path in (tmp_path / "work").iterdir()] == ["log.json"]
    assert [path.name for path in hidden.iterdir()] == [".log.json.lock"]


def test_a_refresh_replaces(tmp_path, repository):
    """The log is what is stored now, and nothing of what was there before."""
    log = GenerationLog(tmp_path / "log.json", repository)
    (tmp_path / "log.json").write_text('{"jobs": []}')
    log.refresh()
    repository.add(make_job(job_id="new", creation_time=NOON + timedelta(days=1)))
    log.refresh()
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [job["job_id"] for job in told["jobs"]] == ["0", "1", "2", "new"]


def test_of_many_threads_one_writes_for_those_that_wait(tmp_path, repository):
    """What was stored before a call is in the file when it returns, and is not written for each."""
    log = GenerationLog(tmp_path / "log.json", repository)
    log.refresh()
    read, told = repository.list, []

    def add(job_id):
        repository.add(make_job(job_id=job_id, creation_time=NOON + timedelta(days=1)))
        log.refresh()
        told.append(json.loads((tmp_path / "log.json").read_text("utf-8")))

    others = [threading.Thread(target=add, args=(f"new-{number}",)) for number in range(6)]
    readings = []

    def reading(query):
        found = read(query)
        if not readings:
            # All of them come while the first call writes what it has read already.
            [other.start() for other in others]
            # Each call has a number, and each writing another one: two were made when they began.
            waits_until(lambda: repr(log._calls) == f"count({4 + len(others)})")
        readings.append(query)
        return found

    repository.list = reading
    log.refresh()
    [other.join() for other in others]
    assert len(readings) == 2
    assert [len(log["jobs"]) for log in told] == [3 + len(others)] * len(others)


def waits_until(is_so):
    """Wait for other threads."""
    while not is_so():
        time.sleep(0.01)


@pytest.mark.slow  # Several processes.
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
    held = lock_file(tmp_path / ".log.json.lock", timeout_s=0)
    with held, pytest.raises(ProcessingError, match="locked by another process"):
        log.refresh()
    log.refresh()
    assert (tmp_path / "log.json").exists()


def old_entry(job_id="0f6c", *, hours=0, **changed):
    """Return a job as tiomagic 1.0.0 wrote it."""
    return {
        "job_id": job_id,
        "feature": "image_to_video",
        "model": "wan2.1-i2v-14b-720p",
        "provider": "modal",
        "generation": {
            "call_id": "fc-01ABC",
            "status": "completed",
            "message": "video completed and saved to /site/output_videos/fc.mp4",
            "timestamp": "20250601_100900",
            "required_args": {"prompt": "the prompt that took all night", "image": "fox.png"},
            "optional_args": {"seed": 7, "modal_options": {"gpu": "A100"}, "flow_shift": 3.0},
            "result_video": "/site/output_videos/fc.mp4",
        },
        "creation_time": f"2025-06-01T1{hours}:00:00",
        "last_updated": f"2025-06-01T1{hours}:09:00",
        "error": None,
    } | changed


def write_old_log(path, *entries):
    path.write_text(json.dumps({"jobs": entries}, indent=2))
    return path.read_bytes()


def test_a_log_of_the_first_version_becomes_history(tmp_path, repository):
    """Its jobs are in the repository and, older than ours, before them in the log."""
    before = write_old_log(tmp_path / "log.json", old_entry("old-1"), old_entry("old-2", hours=1))
    GenerationLog(tmp_path / "log.json", repository).refresh()
    assert (tmp_path / "log.1.0.0.json").read_bytes() == before
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [job["job_id"] for job in told["jobs"]] == ["old-1", "old-2", "0", "1", "2"]
    old = repository.get("old-1")
    assert (old.status, old.model, old.call_id) == ("completed", "wan2.1-i2v-14b-720p", "fc-01ABC")
    assert old.required_args == {"prompt": "the prompt that took all night", "image": "fox.png"}
    assert old.optional_args == {"seed": 7, "flow_shift": 3.0}
    assert old.facts == {"imported_from": "tiomagic 1.0.0", "modal_options": {"gpu": "A100"}}
    assert old.result_video == "/site/output_videos/fc.mp4"
    assert old.creation_time.replace(tzinfo=None).isoformat() == "2025-06-01T10:00:00"
    assert (old.last_updated - old.creation_time) == timedelta(minutes=9)


def test_it_is_taken_over_once(tmp_path, repository):
    """A second look finds nothing, and a job that was deleted since does not come back."""
    write_old_log(tmp_path / "log.json", old_entry())
    log = GenerationLog(tmp_path / "log.json", repository)
    assert [log.import_old_log(), log.import_old_log()] == [1, 0]
    repository.delete("0f6c")
    log.refresh()
    assert "0f6c" not in (tmp_path / "log.json").read_text()


def test_a_crash_in_between_doubles_nothing(tmp_path, repository):
    """Jobs that were imported before the file got its other name are there once."""
    content = write_old_log(tmp_path / "log.json", old_entry())
    log = GenerationLog(tmp_path / "log.json", repository)
    assert log.import_old_log() == 1
    (tmp_path / "log.json").write_bytes(content)
    assert log.import_old_log() == 0
    kept = sorted(path.name for path in tmp_path.glob("log.1.0.0*"))
    assert kept == ["log.1.0.0-2.json", "log.1.0.0.json"]


@pytest.mark.parametrize(
    ("changed", "status", "error"),
    [
        ({"generation": None}, "failed", "did not start it"),
        ({"generation": None, "error": "no token"}, "failed", "no token"),
        ({"generation": {"status": "running"}}, "failed", "last saw it running"),
        ({"generation": {"status": "failed", "message": "out of memory"}}, "failed", "out of memo"),
        ({"generation": {"status": "canceled"}}, "canceled", None),
        ({"generation": {"status": None, "message": "app is not deployed"}}, "failed", "did not"),
    ],
)
def test_every_end_of_an_old_job_has_one_here(tmp_path, repository, changed, status, error):
    """Runs of 1.0.0 cannot be asked for any more: each job is over, and says why."""
    write_old_log(tmp_path / "log.json", old_entry(**changed))
    GenerationLog(tmp_path / "log.json", repository).import_old_log()
    job = repository.get("0f6c")
    assert job.status == status
    assert (error is None) == (job.error is None)
    assert error is None or error in job.error


def test_one_bad_entry_hides_no_other(tmp_path, repository):
    """What cannot be understood is left out of the history and stays in the file."""
    bad = [
        old_entry("no-feature", feature="text_to_music"),
        old_entry("no-time", creation_time="yesterday"),
        old_entry("numbers", model=7),
        {"job_id": "bare"},
        {"id": "of another program"},
        None,
        7,
        [],
    ]
    long = old_entry("long", generation={"required_args": {"prompt": "p", "image": "x" * 20_000}})
    write_old_log(tmp_path / "log.json", *bad, old_entry("\ud800"), old_entry("nul\0"), long)
    assert GenerationLog(tmp_path / "log.json", repository).import_old_log() == 3
    assert "no-feature" in (tmp_path / "log.1.0.0.json").read_text()
    assert len(repository.get("long").required_args["image"]) < 100


def test_the_first_version_may_go_on_beside_ours(tmp_path, repository):
    """An entry that it adds to our file is taken over like any other."""
    log = GenerationLog(tmp_path / "log.json", repository)
    log.refresh()
    ours = json.loads((tmp_path / "log.json").read_text("utf-8"))
    write_old_log(tmp_path / "log.json", *ours["jobs"], old_entry())
    log.refresh()
    told = json.loads((tmp_path / "log.json").read_text("utf-8"))
    assert [job["job_id"] for job in told["jobs"]] == ["0f6c", "0", "1", "2"]


@pytest.mark.parametrize(
    "content",
    [
        b"Dear diary",
        b'{"runs": []}',
        b'{"jobs": [], "owner": "other"}',
        b'{"jobs": [{"id": 1}]}',
        b'{"jobs": [1]}',
        b"[]",
        b"\xff\xfe",
        b"[" * 100_000,
    ],
)
def test_a_file_of_another_program_stays(tmp_path, repository, content):
    """It is as it was, which is said once; when it is gone there is a log."""
    (tmp_path / "log.json").write_bytes(content)
    log = GenerationLog(tmp_path / "log.json", repository)
    with pytest.raises(ProcessingError, match="another program's file") as caught:
        log.refresh()
    assert caught.value.code == "generation_log"
    log.refresh()
    assert (tmp_path / "log.json").read_bytes() == content
    (tmp_path / "log.json").unlink()
    log.refresh()
    assert len(json.loads((tmp_path / "log.json").read_text("utf-8"))["jobs"]) == 3


@pytest.mark.slow  # Several processes.
def test_of_many_processes_one_takes_over(tmp_path, sqlite_url):
    """However many start at once after an upgrade, each old job is there once, and the file too."""
    open_repository(sqlite_url).close()
    log = tmp_path / "log.json"
    before = write_old_log(log, *[old_entry(f"old-{number}") for number in range(30)])
    workers.run_together(workers.add_and_log, 3, sqlite_url, log, 2)
    kept = sorted(tmp_path.glob("log.1.0.0*"))
    assert [path.read_bytes() for path in kept] == [before]
    repository = open_repository(sqlite_url)
    assert repository.count(JobQuery()) == 36
    repository.close()
