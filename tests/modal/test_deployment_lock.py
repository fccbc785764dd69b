"""One deployment at a time, and no other user of the machine can stop or steer it."""

import fcntl
import os
import tempfile

import pytest

from tiomagic_domain.errors import DeploymentError
from tiomagic_domain.files.private_folder import private_folder
from tiomagic_modal.deploy.deployment import _hold_deployment_lock


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def test_the_shared_folder_is_not_used(home, monkeypatch):
    """Whatever lies there, under whatever name."""
    shared = home / "shared"
    shared.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(shared))
    (shared / f"tiomagic-modal-{os.getuid()}.lock").mkdir()
    with _hold_deployment_lock():
        assert [path.name for path in shared.iterdir()] == [f"tiomagic-modal-{os.getuid()}.lock"]


def test_a_second_one_waits_and_then_gives_up():
    """With an error that names the lock; afterwards it is free."""
    with (
        _hold_deployment_lock(),
        pytest.raises(DeploymentError, match=r"modal-deployment\.lock"),
        _hold_deployment_lock(patience_s=0),
    ):
        pass
    with _hold_deployment_lock(patience_s=0):
        pass


@pytest.mark.parametrize("thing", ["folder", "link"])
def test_what_is_no_lock_is_said(home, thing):
    """And nothing is made where a link leads."""
    path = private_folder() / "modal-deployment.lock"
    if thing == "folder":
        path.mkdir()
    else:
        path.symlink_to(home / "target")
    with pytest.raises(DeploymentError, match=r"modal-deployment\.lock"), _hold_deployment_lock():
        pass
    assert not (home / "target").exists()


def test_a_file_system_without_locks_deploys(monkeypatch):
    """As some network drives are: it goes on without."""

    def refuse(_descriptor, _operation):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", refuse)
    with _hold_deployment_lock(patience_s=0):
        pass
