"""The spool: claims where a drive has no hard links, and what a killed process leaves behind."""

import errno
import os
import time

import pytest

from tiomagic_domain.files.replacing import hidden_name_beside
from tiomagic_local.jobs.processes import SystemProcesses
from tiomagic_local.jobs.spool import STALE_DRAFT_S, LocalSpool, _create


def refusing(code):
    """Return what a drive without hard links answers."""

    def link(*names):
        raise OSError(code, os.strerror(code))

    return link


@pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.ENOSYS])
def test_a_claim_needs_no_hard_link(tmp_path, monkeypatch, code):
    """It is there with its text, a second one is refused, and no draft is left."""
    monkeypatch.setattr(os, "link", refusing(code))
    _create(tmp_path / "job.run", "ours")
    with pytest.raises(FileExistsError):
        _create(tmp_path / "job.run", "theirs")
    assert (tmp_path / "job.run").read_text() == "ours"
    assert [path.name for path in tmp_path.iterdir()] == ["job.run"]


def test_a_drive_that_fails_is_an_error(tmp_path, monkeypatch):
    """A full disk is not taken for a lack of links."""
    monkeypatch.setattr(os, "link", refusing(errno.ENOSPC))
    with pytest.raises(OSError, match="No space"):
        _create(tmp_path / "job.run", "ours")
    assert list(tmp_path.iterdir()) == []


def test_a_half_written_file_is_removed_once_it_is_old(tmp_path):
    """A video as well as a claim; a young one may still be written, and a finished one stays."""
    finished, young = tmp_path / "job.mp4", hidden_name_beside(tmp_path / "job.mp4")
    old_video, old_claim = hidden_name_beside(finished), tmp_path / ".job.run.1234.part"
    for path in (finished, young, old_video, old_claim):
        path.write_bytes(b"half")
    long_ago = time.time() - STALE_DRAFT_S - 1
    for path in (finished, old_video, old_claim):
        os.utime(path, (long_ago, long_ago))
    LocalSpool(tmp_path, SystemProcesses()).sweep()
    assert set(tmp_path.iterdir()) == {finished, young}
