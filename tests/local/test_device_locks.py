"""The locks of devices over files: between processes, projects and homes, and at a death."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.testing import DeviceLocksContract
from tiomagic_local.jobs import device_locks
from tiomagic_local.jobs.device_locks import FileDeviceLocks

CPU = "local:here:cpu"
PLACE = ("2026-01-01T00:00:00.000001+00:00", "job-a")

HOLD = """
import os, sys
from pathlib import Path
from tiomagic_local.jobs.device_locks import FileDeviceLocks
locks = FileDeviceLocks(Path(sys.argv[1]))
device = locks.device("local:here:cpu", "holder")
ticket = locks.ticket("local:here:cpu", ("1", "j"))
assert device.acquire() and ticket.acquire()
if len(sys.argv) > 2 and os.fork():
    sys.stdin.read()
# A child, where there is one: it has let go of what it was born with, and outlives its parent.
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for locks of a user who has no other."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


class TestFileDeviceLocks(DeviceLocksContract):
    """The contract."""

    @pytest.fixture
    def locks(self, tmp_path: Path) -> FileDeviceLocks:
        return FileDeviceLocks(tmp_path / "state")


@contextlib.contextmanager
def holding(*words: str) -> Iterator[subprocess.Popen[str]]:
    """Give a process that holds the device and a ticket."""
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@pytest.mark.parametrize("words", [(), ("fork",)])
def test_kill_9_frees_the_device_and_the_ticket(tmp_path: Path, words: tuple[str, ...]) -> None:
    """At once, also when a child that the holder forked lives on."""
    locks = FileDeviceLocks(tmp_path)
    with holding(str(tmp_path), *words) as process:
        assert (locks.is_free(CPU), locks.find_owner(CPU)) == (False, "holder")
        assert locks.list_waiting(CPU) == [("1", "j")]
        os.kill(process.pid, signal.SIGSTOP)
        assert not locks.device(CPU, "next").acquire()
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        assert locks.list_waiting(CPU) == []
        device = locks.device(CPU, "next")
        assert device.acquire()
        device.release()
    assert list(tmp_path.rglob("*.ticket")) == []


def test_two_projects_share_a_device(tmp_path: Path) -> None:
    """Their state folders, and so their databases, are not the same."""
    with holding(str(tmp_path / "one")):
        other = FileDeviceLocks(tmp_path / "other")
        assert not other.is_free(CPU)
        assert not other.device(CPU, "other").acquire()
        assert other.list_waiting(CPU) == [("1", "j")]


def test_two_homes_of_one_project_share_a_device(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another container has a home of its own, and the state folder in common."""
    with holding(str(tmp_path / "state")):
        monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "other home"))
        other = FileDeviceLocks(tmp_path / "state")
        assert not other.is_free(CPU)
        assert not other.device(CPU, "other").acquire()
        assert other.find_owner(CPU) == "holder"
        assert other.list_waiting(CPU) == [("1", "j")]


def test_a_lost_lock_leaves_no_part_of_it(tmp_path: Path, home: Path) -> None:
    """What was locked before the busy file is free again."""
    state = tmp_path / "state"
    with holding(str(state)):
        for path in home.rglob("*.device"):
            path.unlink()  # As when the folder of a session goes with the session.
        locks = FileDeviceLocks(state)
        assert not locks.device(CPU, "other").acquire()
        stranger = FileDeviceLocks(tmp_path / "another")
        device = stranger.device(CPU, "stranger")
        assert device.acquire()
        device.release()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_drive_without_locks_lets_everybody_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    """As some network drives are: a run without order is better than none."""

    def refuse(_descriptor: int, _operation: int) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(fcntl, "flock", refuse)
    device_locks._warn_unlocked.cache_clear()
    locks = FileDeviceLocks(tmp_path)
    one, other = locks.device(CPU, "one"), locks.device(CPU, "other")
    assert one.acquire()
    assert other.acquire()
    ticket = locks.ticket(CPU, PLACE)
    assert ticket.acquire()
    assert locks.list_waiting(CPU) == []
    for lock in (ticket, one, other):
        lock.release()


def test_without_a_home_the_state_folder_is_enough(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service has none; its projects do not see each other."""
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/dev/null")
    locks = FileDeviceLocks(tmp_path)
    device = locks.device(CPU, "one")
    assert device.acquire()
    assert not locks.device(CPU, "other").acquire()
    device.release()


def test_what_cannot_be_made_is_said(tmp_path: Path) -> None:
    """A file is in the way of the folder: an error that names it."""
    (tmp_path / "state").write_text("in the way")
    locks = FileDeviceLocks(tmp_path / "state")
    with pytest.raises(ProcessingError, match="state") as caught:
        locks.device(CPU, "one").acquire()
    assert caught.value.code == "no_device_lock"
    assert FileDeviceLocks(tmp_path / "other").is_free(CPU)
