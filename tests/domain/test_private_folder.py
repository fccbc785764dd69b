"""Locks lie where no other user of the machine can put something."""

import os
import stat

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.private_folder import open_private, private_folder


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("loose", [0o755, 0o777])
def test_a_runtime_folder_that_others_may_enter_is_not_used(tmp_path, loose):
    """As when it is set to the folder of temporary files."""
    runtime, home = tmp_path / "runtime", tmp_path / "home"
    runtime.mkdir()
    runtime.chmod(loose)
    folder = private_folder({"XDG_RUNTIME_DIR": str(runtime), "HOME": str(home)})
    assert folder == home / ".cache" / "tiomagic" / "run"
    assert mode(folder) == 0o700


def test_a_private_runtime_folder_is_used(tmp_path):
    """Where the system gives each user one."""
    tmp_path.chmod(0o700)
    folder = private_folder({"XDG_RUNTIME_DIR": str(tmp_path), "HOME": "/nowhere"})
    assert (folder, mode(folder)) == (tmp_path / "tiomagic", 0o700)


@pytest.mark.parametrize("runtime", ["", "relative", "/nowhere/at/all"])
def test_without_a_runtime_folder_the_cache_is_used(tmp_path, runtime):
    """Missing, relative, and not there."""
    folder = private_folder({"XDG_RUNTIME_DIR": runtime, "XDG_CACHE_HOME": str(tmp_path)})
    assert folder == tmp_path / "tiomagic" / "run"


def test_a_folder_that_was_open_is_closed(tmp_path):
    """An older version, or a careless copy, made it for all."""
    (tmp_path / "tiomagic" / "run").mkdir(parents=True)
    (tmp_path / "tiomagic" / "run").chmod(0o777)
    assert mode(private_folder({"XDG_CACHE_HOME": str(tmp_path)})) == 0o700


def test_a_link_in_its_place_is_refused(tmp_path):
    """It may lead anywhere."""
    (tmp_path / "cache" / "tiomagic").mkdir(parents=True)
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "cache" / "tiomagic" / "run").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ProcessingError, match="link") as caught:
        private_folder({"XDG_CACHE_HOME": str(tmp_path / "cache")})
    assert caught.value.code == "no_private_folder"


def test_a_lock_is_a_file_and_nothing_else(tmp_path):
    """No link is followed, no folder opened, no pipe waited for."""
    (tmp_path / "link").symlink_to(tmp_path / "target")
    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "folder", "pipe"):
        with pytest.raises(OSError):
            open_private(tmp_path / name)
    assert not (tmp_path / "target").exists()
    os.close(open_private(tmp_path / "lock"))
    assert mode(tmp_path / "lock") == 0o600
