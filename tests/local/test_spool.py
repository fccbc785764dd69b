"""Taking a job on where a drive cannot give a file a second name."""

import errno
import os

import pytest

from tiomagic_local.jobs.spool import _create


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
