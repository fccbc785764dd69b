"""A worker that hears nothing, because it loads or decodes, is ended when its job is canceled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("torch")

pytestmark = pytest.mark.slow

STUCK = """
import sys, threading
from pathlib import Path
import tiomagic_local.runtime.loader as loading
from tiomagic.worker import serve

def stop(*_given, **_more):
    threading.Event().wait()

load = loading.load_pipeline

def load_and_stop(*given, **more):
    if sys.argv[1] == "loading":
        stop()
    pipeline = load(*given, **more)
    pipeline.vae.decoder.forward = stop
    return pipeline

loading.load_pipeline = load_and_stop
serve(sys.argv[2], Path.cwd(), {"provider": "local", "device": "cpu", **SETTINGS})
"""

WATCH = """
import json, subprocess, sys, time
from dataclasses import replace
from tiomagic.wiring.session import Session
from tiomagic_domain.features import Feature
from tiomagic_domain.testing import FakeLauncher

session = Session(None, {"provider": "local", "device": "cpu", **SETTINGS}, {})
background = replace(session.container.background(), launcher=FakeLauncher())
session.container.background.override(background)
generation = session.generation
job = generation.submit(
    Feature.TEXT_TO_VIDEO,
    provider="local",
    model="doodle",
    arguments={"prompt": "a red circle moves right", "num_inference_steps": 1},
    detach=True,
)
worker = subprocess.Popen([sys.executable, "-c", sys.argv[2], sys.argv[1], job.queue])
try:
    deadline = time.monotonic() + 240
    def look(found):
        while not found(seen := generation.check(job.job_id)):
            assert time.monotonic() < deadline, seen
            assert not seen.status.is_terminal, seen
            time.sleep(0.1)
        return seen
    look(lambda seen: seen.progress and seen.progress.phase == sys.argv[1])
    first = generation.cancel(job.job_id).status
    last = look(lambda seen: seen.status == "canceled")
    print(json.dumps([first, worker.wait(60), last.to_dict(), len(background.leases.all())]))
finally:
    worker.kill()
    session.close()
"""

SETTINGS = {"worker_cancel_s": 1, "worker_stale_s": 30}
"""It beats every 3 s, and is ended at the first beat that is more than a second after the call."""


@pytest.mark.parametrize("phase", ["loading", "decoding"])
def test_a_stuck_run_is_ended_when_it_is_canceled(tmp_path: Path, phase: str) -> None:
    """The caller hears ``canceling``; its worker ends itself, and the job has its seconds."""
    given = f"SETTINGS = {SETTINGS}\n"
    kept = {name: x for name, x in os.environ.items() if not name.startswith("TIOMAGIC_")}
    done = subprocess.run(
        [sys.executable, "-c", given + WATCH, phase, given + STUCK],
        cwd=tmp_path,
        env={**kept, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
        timeout=290,
    )
    assert done.returncode == 0, done.stderr
    first, status, job, leases = json.loads(done.stdout)
    assert (first, status, leases) == ("canceling", 70, 0)
    assert job["facts"]["seconds_used"] >= SETTINGS["worker_cancel_s"]
    assert not list(tmp_path.rglob("*.mp4"))
