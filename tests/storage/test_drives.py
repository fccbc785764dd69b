"""Drives that lack what local disks have: a sync of folders, locks."""

import errno
import fcntl
import json
import logging
import os
import time

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.durability import sync_folder
from tiomagic_domain.testing.outputs import make_video
from tiomagic_domain.testing.repository import MemoryJobRepository, make_job
from tiomagic_storage import FolderOutputStore, GenerationLog
from tiomagic_storage.files import atomic
from tiomagic_storage.files.atomic import TEMPORARY_MARKER


@pytest.fixture(autouse=True)
def nothing_said(monkeypatch):
    """Each test hears what it is the first to meet."""
    monkeypatch.setattr(atomic, "_WARNED", set())


def build_failing_call(code):
    """Return a system call that the file system does not have, or that fails."""

    def call(*arguments):
        raise OSError(code, os.strerror(code))

    return call


def test_a_real_file_system_without_a_sync():
    """The kernel's own files cannot be synced, which is no error; a missing folder is one."""
    assert sync_folder(atomic.Path("/proc")) is False
    with pytest.raises(FileNotFoundError):
        sync_folder(atomic.Path("/not/there"))


@pytest.mark.parametrize("code", [errno.EINVAL, errno.ENOTSUP, errno.ENOSYS])
def test_a_drive_without_a_sync_keeps_videos(tmp_path, monkeypatch, caplog, code):
    """Video and recipe are in place, and what the drive cannot do is said once."""
    monkeypatch.setattr(os, "fsync", build_failing_call(code))
    store = FolderOutputStore(tmp_path / "videos")
    with caplog.at_level(logging.WARNING, logger="tiomagic.storage"):
        for _ in range(3):
            path = store.save(make_job(), make_video(tmp_path / "spool"))
            assert path.read_bytes() == b"frames"
            assert json.loads(path.with_suffix(".json").read_text("utf-8"))
    said = [record.getMessage() for record in caplog.records]
    assert sorted(text.partition("cannot ")[2] for text in said) == [
        "sync a file: going on without",
        "sync a folder: going on without",
    ]


def test_a_disk_that_fails_is_still_an_error(tmp_path, monkeypatch):
    """That the drive is broken or full is not taken for a lack of means."""
    monkeypatch.setattr(os, "fsync", build_failing_call(errno.EIO))
    with pytest.raises(ProcessingError, match="Input/output error"):
        FolderOutputStore(tmp_path / "videos").save(make_job(), make_video(tmp_path / "spool"))


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS])
def test_a_drive_without_locks_works(tmp_path, monkeypatch, caplog, code):
    """Log and video are written, and left-over files go by their age alone."""
    monkeypatch.setattr(fcntl, "flock", build_failing_call(code))
    repository = MemoryJobRepository()
    repository.add(make_job(job_id="one"))
    hour, week = (tmp_path / f".{name}{TEMPORARY_MARKER}" for name in ("hour", "week"))
    for path, hours in ((hour, 1), (week, 168)):
        path.write_bytes(b"half")
        then = time.time() - hours * 3600
        os.utime(path, (then, then))
    with caplog.at_level(logging.WARNING, logger="tiomagic.storage"):
        GenerationLog(tmp_path / "log.json", repository).refresh()
        FolderOutputStore(tmp_path).save(make_job(), make_video(tmp_path / "spool"))
    assert len(json.loads((tmp_path / "log.json").read_text())["jobs"]) == 1
    assert (hour.exists(), week.exists()) == (True, False)
    assert len([record for record in caplog.records if "lock a file" in record.message]) == 1
