"""Real processes: who is alive, who is here, and how one is ended."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tiomagic_domain.ports.processes import ProcessState
from tiomagic_local.jobs.process_identity import ProcessStart
from tiomagic_local.jobs.processes import ProcessIdentity, SystemProcesses


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    """A process that does nothing for long."""
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"]) as process:
        yield process
        process.kill()


def named(process: subprocess.Popen[bytes]) -> str:
    """Return the call id of a process, from what the system says of it."""
    fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
    birth = replace(ProcessStart.of_this_process(), start=int(fields[19]))
    return ProcessIdentity(
        host=ProcessIdentity.current().host, pid=process.pid, birth=str(birth)
    ).call_id


def with_birth(call_id: str, **changes: object) -> str:
    """Return the same process with another birth."""
    start, _, birth = call_id.rpartition(":")
    known = ProcessStart.parse(birth)
    assert known is not None
    return f"{start}:{replace(known, **changes)}"  # type: ignore[arg-type]


def test_a_process_is_ended_and_gone(sleeper: subprocess.Popen[bytes]) -> None:
    """Afterwards it is dead; ending it again does no harm."""
    processes = SystemProcesses()
    call_id = named(sleeper)
    assert processes.get_state(call_id) is ProcessState.ALIVE
    assert processes.may_kill(call_id)
    assert processes.kill(call_id)
    assert processes.get_state(call_id) is ProcessState.DEAD
    assert not processes.may_kill(call_id)
    assert processes.kill(call_id)


def test_another_process_of_the_same_number_is_left_alone(
    sleeper: subprocess.Popen[bytes],
) -> None:
    """Its number was given to a new one since."""
    processes = SystemProcesses()
    older = with_birth(named(sleeper), start=1000)
    assert processes.get_state(older) is ProcessState.DEAD
    assert processes.kill(older)
    assert sleeper.poll() is None


@pytest.mark.parametrize("where", ["host", "boot", "namespace", "older version"])
def test_what_cannot_be_seen_is_neither_dead_nor_ended(
    sleeper: subprocess.Popen[bytes], where: str
) -> None:
    """Numbers mean nothing elsewhere, be the host's name the same."""
    processes, call_id = SystemProcesses(), named(sleeper)
    elsewhere = {
        "host": call_id.replace(f":{processes.host}:", ":elsewhere:"),
        "boot": with_birth(call_id, boot="another"),
        "namespace": with_birth(call_id, pid_namespace=1),
        "older version": f"local:{processes.host}:{sleeper.pid}:1000.00",
    }[where]
    assert processes.get_state(elsewhere) is ProcessState.UNKNOWN
    assert not processes.may_kill(elsewhere)
    assert not processes.kill(elsewhere)
    assert sleeper.poll() is None


def test_marks_are_of_one_boot_and_grow() -> None:
    """What is written by one process is compared by another."""
    processes = SystemProcesses()
    boots, seconds = zip(*(processes.heartbeat().rsplit(" ", 1) for _ in range(2)), strict=True)
    assert boots[0] == boots[1]
    assert float(seconds[0]) <= float(seconds[1])
    assert processes.current() == ProcessIdentity.current().call_id
