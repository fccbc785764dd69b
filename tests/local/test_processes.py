"""Real processes: who is alive, who is here, and how one is ended."""

import subprocess
import sys
from collections.abc import Iterator

import psutil
import pytest

from tiomagic_local.processes import SystemProcesses, Worker


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing for long."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def named(process: subprocess.Popen[bytes]) -> str:
    """Return the call id of a process."""
    started = psutil.Process(process.pid).create_time()
    here = Worker.current()
    return Worker(host=here.host, pid=process.pid, started=started).call_id


def test_a_process_is_ended_and_gone(sleeper: subprocess.Popen[bytes]) -> None:
    """Afterwards it is dead; ending it again does no harm."""
    processes = SystemProcesses()
    call_id = named(sleeper)
    assert processes.is_here(call_id)
    assert processes.is_alive(call_id)
    assert processes.end(call_id)
    assert not processes.is_alive(call_id)
    assert processes.end(call_id)


def test_another_process_of_the_same_number_is_left_alone(
    sleeper: subprocess.Popen[bytes],
) -> None:
    """Its number was given to a new one since."""
    processes = SystemProcesses()
    older = f"{named(sleeper).rpartition(':')[0]}:1000.00"
    assert not processes.is_alive(older)
    assert processes.end(older)
    assert sleeper.poll() is None


def test_nobody_of_another_machine_is_ended(sleeper: subprocess.Popen[bytes]) -> None:
    """Numbers mean nothing elsewhere."""
    processes = SystemProcesses()
    elsewhere = f"local:elsewhere:{sleeper.pid}:1000.00"
    assert not processes.is_here(elsewhere)
    assert not processes.end(elsewhere)
    assert sleeper.poll() is None


def test_marks_are_of_one_boot_and_grow() -> None:
    """What is written by one process is compared by another."""
    processes = SystemProcesses()
    boots, seconds = zip(*(processes.mark().rsplit(" ", 1) for _ in range(2)), strict=True)
    assert boots[0] == boots[1]
    assert float(seconds[0]) <= float(seconds[1])
    assert processes.current() == Worker.current().call_id
