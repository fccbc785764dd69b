"""Bringing videos home while others do the same."""

import threading

import pytest
from tests.storage import workers

from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import FolderOutputStore, open_repository
from tiomagic_storage.files.atomic import hold_user_lock

JOBS = 40


@pytest.mark.slow  # Several processes.
def test_of_many_that_recover_one_fetches_each_video(tmp_path, sqlite_url):
    """Each video comes home once, and all are home when any of them is done."""
    repository = open_repository(sqlite_url)
    for number in range(JOBS):
        running = make_job(job_id=f"{number:03}-job", provider="elsewhere", model="doodle")
        repository.add(running.to(JobStatus.RUNNING, at=running.creation_time))
    workers.run_together(workers.recover, 4, sqlite_url, tmp_path)
    fetched = (tmp_path / "fetched").read_text("ascii").split()
    assert sorted(fetched) == [f"{number:03}-job" for number in range(JOBS)]
    changed = [int((tmp_path / f"changed-{number}").read_text()) for number in range(4)]
    assert sum(changed) == JOBS
    assert len(list((tmp_path / "videos").glob("*.mp4"))) == JOBS
    assert list((tmp_path / "spool").iterdir()) == []
    repository.close()


def test_a_claim_is_held_by_one(monkeypatch, tmp_path):
    """A look finds it taken, a wait gets it when it is free, and its file is gone in the end."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    tmp_path.chmod(0o700)
    store = FolderOutputStore(tmp_path / "videos")
    waiting, got = threading.Event(), []

    def wait():
        waiting.set()
        with store.claim("job", timeout_s=60.0) as is_ours:
            got.append(is_ours)

    thread = threading.Thread(target=wait)
    with store.claim("job", timeout_s=0.0) as first:
        assert first
        thread.start()
        waiting.wait()
        with store.claim("job", timeout_s=0.0) as second:
            assert not second
        with store.claim("other", timeout_s=0.0) as other:
            assert other
        assert got == []
    thread.join()
    assert got == [True]
    assert list((tmp_path / "tiomagic").iterdir()) == []


def test_where_nothing_can_be_locked_everybody_may_fetch(monkeypatch, tmp_path):
    """No folder for the lock is no reason to leave a video where it is."""
    (tmp_path / "file").touch()
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "file"))
    with hold_user_lock("job", timeout_s=0) as one, hold_user_lock("job", timeout_s=0) as other:
        assert (one, other) == (True, True)
