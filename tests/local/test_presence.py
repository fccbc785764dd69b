"""Processes that cannot be seen by their numbers, judged by the locks that the kernel releases."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiomagic_domain.ports.processes import ProcessState
from tiomagic_local.jobs import process_identity, process_locks
from tiomagic_local.jobs.process_locks import LivenessLocks
from tiomagic_local.jobs.processes import ProcessIdentity, SystemProcesses

LIVE = """
import sys
from pathlib import Path
from tiomagic_local.jobs.processes import SystemProcesses
print(SystemProcesses(Path(sys.argv[1])).current(), flush=True)
sys.stdin.read()
"""

LOOK = """
import sys
from pathlib import Path
from tiomagic_local.jobs.processes import SystemProcesses
processes = SystemProcesses(Path(sys.argv[1]) if sys.argv[1] else None)
run = sys.argv[2]
print(processes.get_state(run), processes.may_kill(run), processes.kill(run))
"""

OTHER_SPACES = {
    "pid": ["--pid", "--fork", "--mount-proc"],
    "pid without its own proc": ["--pid", "--fork"],
    "time": ["--time", "--boottime", "86400", "--monotonic", "86400", "--fork"],
    "time backwards": ["--time", "--boottime", "-100", "--monotonic", "-100", "--fork"],
}


def unshare(options: list[str]) -> list[str]:
    """Return the command that runs another one in namespaces of its own."""
    own = [] if os.geteuid() == 0 else ["--map-root-user"]
    return ["unshare", *own, *options]


def works(options: list[str]) -> bool:
    """Return whether this machine gives such namespaces."""
    try:
        done = subprocess.run([*unshare(options), "true"], check=False, capture_output=True)
    except FileNotFoundError:
        return False
    return done.returncode == 0


SPACES = {name: options for name, options in OTHER_SPACES.items() if works(options)}


class LivingProcess:
    """A process that lives until it is told to end."""

    def __init__(self, folder: Path, prefix: list[str]) -> None:
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-c", LIVE, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.call_id = self.process.stdout.readline().strip()

    def stop(self) -> None:
        """End it, and with it what it was started by."""
        self.process.communicate()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where those who share jobs show that they live."""
    return tmp_path / "processes"


@pytest.fixture
def run(folder: Path) -> Iterator[LivingProcess]:
    """A living process of this space."""
    run = LivingProcess(folder, [])
    yield run
    run.stop()


def look(call_id: str, folder: Path | None, prefix: list[str] | None = None) -> list[str]:
    """Return what another process says of one: its life, and whether it may be and was ended."""
    command = [*(prefix or []), sys.executable, "-c", LOOK, str(folder or ""), call_id]
    return subprocess.check_output(command, text=True).split()


@pytest.mark.parametrize("space", SPACES)
def test_a_run_of_another_space_is_judged_by_its_lock(folder: Path, space: str) -> None:
    """From outside: it lives, is not signalled where its number is another's, and then is dead."""
    run = LivingProcess(folder, unshare(SPACES[space]))
    life, may_end, _ = look(run.call_id, folder) if "pid" in space else ("alive", "False", "")
    assert (life, may_end) == ("alive", "False")
    assert SystemProcesses(folder).get_state(run.call_id) is ProcessState.ALIVE
    run.stop()
    assert SystemProcesses(folder).get_state(run.call_id) is ProcessState.DEAD


@pytest.mark.parametrize("space", SPACES)
def test_a_run_is_judged_from_another_space(folder: Path, run: LivingProcess, space: str) -> None:
    """From inside, the other way round."""
    life = look(run.call_id, folder, unshare(SPACES[space]))[0]
    assert life == "alive"
    assert run.process.poll() is None or "pid" not in space


@pytest.mark.parametrize("space", [name for name in SPACES if "pid" in name])
def test_without_a_common_folder_nobody_can_tell(run: LivingProcess, space: str) -> None:
    """And nothing is signalled."""
    assert look(run.call_id, None, unshare(SPACES[space])) == ["unknown", "False", "False"]
    assert run.process.poll() is None


@pytest.mark.parametrize("hours", [-8760, -1, 1, 8760])
def test_a_date_that_jumps_changes_no_identity(
    tmp_path: Path, run: LivingProcess, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    """As Linux shows it: the moment of the machine's start moves, and nothing else."""
    stat = Path("/proc/stat").read_text()
    began = next(line for line in stat.splitlines() if line.startswith("btime"))
    moved = f"btime {int(began.split()[1]) + hours * 3600}"
    (tmp_path / "stat").write_text(stat.replace(began, moved))
    if works(["--mount"]):
        prefix = [
            *unshare(["--mount"]),
            "sh",
            "-c",
            f'mount --bind {tmp_path}/stat /proc/stat && exec "$@"',
            "sh",
        ]
        assert look(run.call_id, None, prefix)[:2] == ["alive", "True"]
    monkeypatch.setattr("time.time", lambda: 1e9 + hours * 3600)
    assert SystemProcesses().get_state(ProcessIdentity.current().call_id) is ProcessState.ALIVE


def test_after_a_restart_the_dead_are_dead(
    folder: Path, run: LivingProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another boot: a lock that is held is a life, one that is free the end of one."""
    monkeypatch.setattr(process_identity, "boot_id", lambda: "later")
    assert SystemProcesses(folder).get_state(run.call_id) is ProcessState.ALIVE
    run.process.kill()
    run.process.wait()
    assert SystemProcesses(folder).get_state(run.call_id) is ProcessState.DEAD


def test_a_network_drive_is_not_trusted(
    folder: Path, run: LivingProcess, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may keep the locks of each machine to itself."""
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "1 0 8:1 / / rw - ext4 /dev/sda1 rw\n"
        f"2 1 0:40 / {str(tmp_path).replace(' ', chr(92) + '040')} rw - nfs4 server:/home rw\n"
    )
    monkeypatch.setattr(process_locks, "MOUNTS", mounts)
    monkeypatch.setattr(process_identity, "boot_id", lambda: "of another machine")
    assert SystemProcesses(folder).get_state(run.call_id) is ProcessState.UNKNOWN


def test_a_forked_child_does_not_keep_its_parent_alive(folder: Path) -> None:
    """It inherits the open file, and not the lock."""
    code = LIVE + "\nimport os, time\nif os.fork() == 0: time.sleep(60)\nelse: os._exit(0)"
    with subprocess.Popen(
        [sys.executable, "-c", code, str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        process_group=0,
    ) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        name = process.stdout.readline().strip().split(":", 2)[2].replace(":", "-")
        assert LivenessLocks(folder).get_state(name) is ProcessState.ALIVE
        process.stdin.close()
        process.wait()
        assert LivenessLocks(folder).get_state(name) is ProcessState.DEAD
        os.killpg(process.pid, 9)


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path: Path) -> None:
    """The process is seen by its number then."""
    (tmp_path / "file").write_text("")
    processes = SystemProcesses(tmp_path / "file")
    assert processes.get_state(processes.current()) is ProcessState.ALIVE


def test_files_of_the_dead_do_not_pile_up(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The newest stay; those of the living stay in any case."""
    monkeypatch.setattr(process_locks, "MAX_DEAD_FILES", 3)
    living = LivingProcess(folder, [])
    for number in range(8):
        (folder / f"{number}-1-1-x.lock").touch()
        os.utime(folder / f"{number}-1-1-x.lock", (number, number))
    LivenessLocks(folder).announce("mine")
    left = {path.stem for path in folder.glob("*.lock")}
    assert {"6-1-1-x", "7-1-1-x", "mine"} <= left
    assert "0-1-1-x" not in left
    assert SystemProcesses(folder).get_state(living.call_id) is ProcessState.ALIVE
    living.stop()
