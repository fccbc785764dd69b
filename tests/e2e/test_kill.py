"""Kill -9 at any moment of a generation: nothing is half, and what is said afterwards is true."""

from __future__ import annotations

import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import av
import psutil
import pytest
from tests.e2e.processes import environment, python

from tiomagic_local.provider import START_TIMEOUT_S

ROUNDS = 5

FORK_SERVER = """
import os, signal, sys
import torch
from diffusers import WanPipeline
from tiomagic_media.encode import mp4
from tiomagic import tm
torch.set_num_threads(1)
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
print("ready", flush=True)
for _line in sys.stdin:
    child = os.fork()
    if child == 0:
        tm.configure(provider="local")
        tm.text_to_video(
            model="wan2.1-t2v-1.3b",
            prompt="a fox",
            width=32,
            height=32,
            num_frames=9,
            num_inference_steps=6,
        )
        os._exit(0)
    print(child, flush=True)
"""
"""Imports the libraries once, then forks a process for each line: seconds less a round."""

LIST_JOBS = """
import json
from tiomagic import tm
tm.configure(provider="local")
jobs = [tm.check_generation_status(job.job_id).to_dict() for job in tm.list_jobs(limit=None)]
print(json.dumps(jobs))
"""


@pytest.fixture
def fork_server(tmp_path: Path, weights_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that starts generations, each in a process of its own."""
    with subprocess.Popen(
        [sys.executable, "-c", FORK_SERVER],
        cwd=tmp_path,
        env=environment(weights_dir),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        yield process
        process.kill()


def start(fork_server: subprocess.Popen[str]) -> int:
    """Start a generation and return the number of its process."""
    assert fork_server.stdin is not None
    assert fork_server.stdout is not None
    fork_server.stdin.write("go\n")
    fork_server.stdin.flush()
    return int(fork_server.stdout.readline())


def stored(database: Path) -> int:
    """Return how many jobs the database has; 0 while it has no table."""
    if not database.exists():
        return 0
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True, timeout=30) as connection:
        try:
            found = connection.execute("select count(*) from tiomagic_jobs").fetchone()
        except sqlite3.OperationalError as error:
            assert "no such table" in str(error)  # noqa: PT017 - before the first use
            return 0
        return int(found[0])


def wait_for_job(pid: int, database: Path, known: int) -> None:
    """Return once one more job is stored, or its process has ended."""
    deadline = time.monotonic() + 120
    while stored(database) <= known and psutil.pid_exists(pid):
        assert time.monotonic() < deadline, "the process neither stored a job nor ended"
        time.sleep(0.005)


def kill(pid: int) -> None:
    """Kill a process as the kernel does when memory runs out, and wait until it is gone."""
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
    while psutil.pid_exists(pid):
        time.sleep(0.005)


@pytest.mark.slow
@pytest.mark.timeout(600)  # The set-up counts, which imports torch on what may be a busy machine.
def test_a_killed_generation_leaves_the_truth(
    fork_server: subprocess.Popen[str], tmp_path: Path, weights_dir: Path
) -> None:
    """After each kill the database is sound, each video is whole, and no job claims to run."""
    chance = random.Random()
    database = tmp_path / ".tiomagic" / "jobs.db"
    # The first moments are those before the job's process is named.
    delays = [0.0, *(chance.uniform(0, 2.5) for _round in range(ROUNDS - 1))]
    for delay in delays:
        known = stored(database)
        pid = start(fork_server)
        wait_for_job(pid, database, known)
        time.sleep(delay)
        kill(pid)
        with sqlite3.connect(database, timeout=30) as connection:
            assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        # A hidden file is a half-written one; the spool removes it later.
        for video in tmp_path.rglob("[!.]*.mp4"):
            assert frames_of(video) == 9, delays
    jobs = json.loads(python(LIST_JOBS, folder=tmp_path, weights_dir=weights_dir).stdout)
    if any(job["status"] == "queued" for job in jobs):
        # One was killed within milliseconds, stored and not yet named by its process. It counts as
        # about to start for so long, and as lost from then on.
        time.sleep(START_TIMEOUT_S)
        jobs = json.loads(python(LIST_JOBS, folder=tmp_path, weights_dir=weights_dir).stdout)
    assert len(jobs) == ROUNDS
    for job in jobs:
        assert job["status"] in {"completed", "failed"}, (job, delays)
        if job["status"] == "failed":
            assert job["error_code"] == "worker_lost"
            assert job["result_video"] is None
        else:
            assert frames_of(Path(job["result_video"])) == 9
    again = json.loads(python(LIST_JOBS, folder=tmp_path, weights_dir=weights_dir).stdout)
    assert again == jobs


def frames_of(video: Path) -> int:
    """Return the number of frames that can be decoded."""
    with av.open(str(video)) as container:
        return sum(1 for _frame in container.decode(video=0))
