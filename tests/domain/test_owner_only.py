"""Files and folders for their owner alone."""

import os
import stat

import pytest

from tiomagic_domain.files.owner_only import make_private, private_opener, restrict_to_owner


@pytest.fixture(autouse=True)
def usual_umask():
    """The umask with which all may read what a process makes."""
    before = os.umask(0o022)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_folders_are_made_for_the_owner(tmp_path):
    """All that were missing are closed, one that was there stays as it is."""
    (tmp_path / "there").mkdir()
    make_private(tmp_path / "there" / "a" / "b")
    make_private(tmp_path / "there" / "a" / "b")
    make_private(tmp_path / "there")
    modes = [mode(tmp_path / name) for name in ("there", "there/a", "there/a/b")]
    assert modes == [0o755, 0o700, 0o700]


def test_a_file_in_the_way_is_an_error(tmp_path):
    """No folder is made where a file has the name, be it of the folder or of one above."""
    (tmp_path / "file").touch()
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(OSError, match="file"):
            make_private(folder)


def test_a_file_that_is_made_is_closed(tmp_path):
    """The opener makes a file for its owner, and leaves one that is there as it is."""
    (tmp_path / "there").touch()
    for name in ("there", "new"):
        with open(tmp_path / name, "ab", opener=private_opener):
            pass
    assert (mode(tmp_path / "there"), mode(tmp_path / "new")) == (0o644, 0o600)


@pytest.mark.parametrize(
    ("kind", "before", "after"),
    [
        ("folder", 0o755, 0o700),
        ("folder", 0o775, 0o700),
        ("folder", 0o2775, 0o2770),
        ("folder", 0o700, 0o700),
        ("file", 0o644, 0o600),
        ("file", 0o664, 0o660),
        ("file", 0o444, 0o400),
    ],
)
def test_what_is_there_is_closed(tmp_path, kind, before, after):
    """Others lose everything; the group keeps what is shared with it on purpose."""
    path = tmp_path / "it"
    if kind == "folder":
        path.mkdir()
    else:
        path.touch()
    path.chmod(before)
    restrict_to_owner(path)
    assert mode(path) == after


def test_a_link_and_nothing_are_left_alone(tmp_path):
    """Nothing happens to what a link points to, or where nothing is."""
    (tmp_path / "target").touch()
    (tmp_path / "link").symlink_to(tmp_path / "target")
    restrict_to_owner(tmp_path / "link")
    restrict_to_owner(tmp_path / "nothing")
    assert mode(tmp_path / "target") == 0o644
