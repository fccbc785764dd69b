"""Jobs that outlive whoever submitted them: real processes, the shipped model, one database."""

from __future__ import annotations

import json
import os
import pty
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, TextIO

import av
import psutil
import pytest

pytest.importorskip("torch")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

SUBMIT = """
import sys
from tiomagic.wiring.session import Session
from tiomagic_domain.features import Feature
session = Session(None, {"provider": "local"}, {})
for steps in map(int, sys.argv[2:]):
    job = session.generation.submit(
        Feature.TEXT_TO_VIDEO,
        provider="local",
        model="doodle",
        arguments={"prompt": "a red circle moves right", "num_inference_steps": steps},
        detach=True,
        retry=int(sys.argv[1]),
    )
    print(job.job_id)
session.close()
"""

WAIT_FOR_STATUS = """
import json, os, sys, time
from tiomagic.wiring.session import Session
session = Session(None, {"provider": "local"}, {})
deadline = time.monotonic() + 240
wanted, number, ids = set(sys.argv[1].split(",")), int(sys.argv[2]), sys.argv[3:]
jobs = []
for job_id in ids:
    while (job := session.generation.check(job_id)).status not in wanted:
        assert time.monotonic() < deadline, job
        assert not job.status.is_terminal, job
        time.sleep(0.1)
    if number:
        os.kill(int(job.call_id.split(":")[2]), number)
    jobs.append(job.to_dict())
print(json.dumps(jobs))
session.close()
"""
"""The signal, if any, is sent at once, for the same reason as below."""

HERE = """
import sys
from tiomagic.wiring.session import Session
from tiomagic_domain.features import Feature
session = Session(None, {"provider": "local"}, {})
job = session.generation.submit(
    Feature.TEXT_TO_VIDEO,
    provider="local",
    model="doodle",
    arguments={"prompt": "a blue circle moves left", "num_inference_steps": 2},
    on_progress=lambda progress: print(progress, flush=True),
)
print(job.status, job.job_id)
session.close()
"""

BOTH = """
import sys
from tiomagic.wiring.session import Session
from tiomagic_domain.features import Feature
session = Session(None, {"provider": "local"}, {})
def submit(**options):
    return session.generation.submit(
        Feature.TEXT_TO_VIDEO,
        provider="local",
        model="doodle",
        arguments={"prompt": "a red circle moves right", "num_inference_steps": 12},
        **options,
    )
print("detached", submit(detach=True).job_id, flush=True)
said = []
def tell(progress):
    # Once: a word to a terminal that is closed is an error before it is a signal.
    if not said and str(progress).startswith("waiting"):
        said.append(progress)
        print("waiting", flush=True)
submit(on_progress=tell)
"""

JOBS = """
import json, time
from tiomagic import tm
tm.configure(provider="local")
deadline = time.monotonic() + 240
while time.monotonic() < deadline:
    # A process is lost when its heartbeat has been silent for a while, not at once.
    tm.recover()
    jobs = [job.to_dict() for job in tm.list_jobs()]
    if all(job["status"] in ("completed", "failed", "canceled") for job in jobs):
        break
    time.sleep(1)
print(json.dumps(jobs))
"""

CANCEL = """
import sys, time
from tiomagic.wiring.session import Session
session = Session(None, {"provider": "local"}, {})
deadline = time.monotonic() + 240
while session.generation.check(sys.argv[-1]).status == "queued":
    assert time.monotonic() < deadline
    time.sleep(0.1)
for job_id in sys.argv[1:]:
    print(session.generation.cancel(job_id).status)
session.close()
"""
"""Waits until the last of them runs: until another process has come up, it may be over."""


class Machine:
    """A working directory, and processes that come and go in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, code: str, *words: str) -> str:
        """Run code to its end; all that it started has let go of its output by then."""
        started = self.start(code, *words)
        output, errors = started.communicate(timeout=280)
        assert started.returncode == 0, errors
        return output

    def start(self, code: str, *words: str) -> subprocess.Popen[str]:
        """Start code, and return its process."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith("TIOMAGIC_")}
        return subprocess.Popen(
            [sys.executable, "-c", code, *words],
            cwd=self.folder,
            env={**kept, "OMP_NUM_THREADS": "1", "TIOMAGIC_WORKER_IDLE_S": "3"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def on_a_terminal(self, code: str) -> tuple[int, TextIO]:
        """Start code on a terminal of its own; return its process and what it prints there."""
        pid, terminal = pty.fork()
        if not pid:
            # As in a shell that a person has: under nohup the tests themselves ignore it.
            signal.signal(signal.SIGHUP, signal.SIG_DFL)
            os.chdir(self.folder)
            os.environ["TIOMAGIC_WORKER_IDLE_S"] = "3"
            os.execv(sys.executable, [sys.executable, "-c", code])
        return pid, os.fdopen(terminal)

    def submit(self, *steps: int, retry: int = 0) -> list[str]:
        """Submit jobs of so many steps from a process that then ends."""
        return self.run(SUBMIT, str(retry), *map(str, steps)).split()

    def look(self, status: str, *job_ids: str, send: int = 0) -> list[dict[str, Any]]:
        """Return jobs as soon as they have one of the statuses, and send their worker a signal."""
        said = self.run(WAIT_FOR_STATUS, status, str(int(send)), *job_ids)
        found: list[dict[str, Any]] = json.loads(said)
        return found

    def stop_between_writes(self, worker: int) -> None:
        """See to it that a worker that was stopped does not hold the database."""
        while True:
            with closing(
                sqlite3.connect(self.folder / ".tiomagic" / "jobs.db", timeout=0)
            ) as other:
                try:
                    other.execute("begin immediate")
                except sqlite3.OperationalError:
                    os.kill(worker, signal.SIGCONT)
                    time.sleep(0.05)
                    os.kill(worker, signal.SIGSTOP)
                else:
                    return

    def workers(self) -> list[psutil.Process]:
        """Return the workers of this folder."""
        found = []
        for process in psutil.process_iter():
            try:
                if "tiomagic.worker" in process.cmdline() and process.cwd() == str(self.folder):
                    found.append(process)
            except (psutil.NoSuchProcess, psutil.ZombieProcess, psutil.AccessDenied):
                continue
        return found


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    """A machine whose workers are gone after the test."""
    machine = Machine(tmp_path)
    yield machine
    for process in machine.workers():
        process.kill()


def test_a_job_outlives_its_caller(machine: Machine) -> None:
    """Another process watches it to its end; one worker makes both, loads once, and goes away."""
    ids = machine.submit(2, 2)
    jobs = machine.look("completed", *ids)
    for job in jobs:
        with av.open(job["result_video"]) as container:
            assert sum(1 for _ in container.decode(video=0)) > 1
    assert jobs[0]["started_at"] < jobs[1]["started_at"]
    (call_id,) = {job["generation"]["call_id"] for job in jobs}
    assert call_id.startswith("local:")
    assert "loading" in jobs[0]["facts"]["seconds"]
    assert "loading" not in jobs[1]["facts"]["seconds"]
    for job_id in ids:
        assert (machine.folder / ".tiomagic" / "logs" / f"{job_id}.log").exists()
    deadline = time.monotonic() + 120
    while machine.workers():
        assert time.monotonic() < deadline, "an idle worker stays"
        time.sleep(0.1)


def test_a_job_is_canceled_wherever_it_is(machine: Machine) -> None:
    """One that waits at once, one that runs at its next step; both say so in another process."""
    running, waiting = machine.submit(100, 2)
    first, second = machine.run(CANCEL, waiting, running).split()
    assert first == "canceled"
    assert second in {"canceling", "canceled"}
    (job,) = machine.look("canceled", running)
    assert job["facts"]["seconds_used"] > 0
    assert machine.run(CANCEL, running).strip() == "canceled"
    assert not list(machine.folder.rglob("*.mp4"))


def test_a_run_of_its_own_waits_for_the_worker(machine: Machine) -> None:
    """It says whose turn it is; the worker ends what came first, and then makes room at once."""
    (first,) = machine.submit(16)
    # On a busy machine it is over before the run has begun.
    (job,) = machine.look("running", first, send=signal.SIGSTOP)
    worker = int(job["generation"]["call_id"].split(":")[2])
    machine.stop_between_writes(worker)
    run = machine.start(HERE)
    assert run.stdout is not None
    assert run.stdout.readline() == f"waiting: the device cpu is busy: job {first} is running\n"
    os.kill(worker, signal.SIGCONT)
    words = run.communicate(timeout=280)[0].split("\n")
    status, second = words[-2].split()
    assert status == "completed"
    before, after = machine.look("completed", first, second)
    assert before["ended_at"] < after["ended_at"]
    assert before["generation"]["call_id"] != after["generation"]["call_id"]


def test_a_killed_worker_is_noticed_and_its_job_runs_again(machine: Machine) -> None:
    """Kill -9 in the middle: who looks next finds it out, and with a retry it is made after all."""
    (job_id,) = machine.submit(40, retry=1)
    machine.look("running", job_id, send=signal.SIGKILL)
    (done,) = machine.look("completed", job_id)
    assert (done["attempt"], done["retry"]) == (2, 0)


def test_a_worker_that_is_stop_requested_says_so(machine: Machine) -> None:
    """SIGTERM: the job fails as what it is, and nothing half-written stays."""
    (job_id,) = machine.submit(100)
    machine.look("running", job_id, send=signal.SIGTERM)
    (job,) = machine.look("failed", job_id)
    assert job["error_code"] == "worker_lost"
    assert not list(machine.folder.rglob("*.run"))
    assert not list(machine.folder.rglob("*.part"))


def test_a_closed_terminal_ends_the_run_on_it_and_no_other(machine: Machine) -> None:
    """A run in the caller's own process is lost with it, truly; the detached one is made."""
    pid, terminal = machine.on_a_terminal(BOTH)
    with terminal:
        detached = terminal.readline().split()[1]
        while not terminal.readline().startswith("waiting"):
            pass
    assert os.WTERMSIG(os.waitpid(pid, 0)[1]) == signal.SIGHUP
    (done,) = machine.look("completed", detached)
    assert Path(done["result_video"]).exists()
    lost, found = json.loads(machine.run(JOBS))
    assert found["job_id"] == detached
    assert (lost["status"], lost["error_code"]) == ("failed", "worker_lost")
