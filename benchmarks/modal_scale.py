"""A thousand jobs on Modal's protocol from one process: jobs a second, requests a job, memory.

::

    uv run python benchmarks/modal_scale.py [--jobs 1000] [--threads 16]

The server is the one of the tests, in a process of its own, with an engine that returns at once.
What is measured is everything on this side: validation, the job store, Modal's client, the video's
way into its place. The result goes to ``benchmarks/results/modal_scale.json``.
"""

import argparse
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
RESULT = Path(__file__).parent / "results" / "modal_scale.json"
MODEL = "wan2.1-t2v-1.3b"
VIDEO_BYTES = 256 * 1024
"""Enough to go through blob storage, as every real video does."""
SETTINGS = {"width": 32, "height": 32, "num_frames": 5, "num_inference_steps": 2}


def engine(call, args, kwargs):  # noqa: ARG001  As the server calls it.
    """Return a result in the wire format at once."""
    from tiomagic_modal.constants import PROTOCOL_VERSION

    job_id = args[0]["job"]["job_id"]
    video = job_id.encode().ljust(VIDEO_BYTES, b"\0")
    return {
        "protocol": PROTOCOL_VERSION,
        "worker": "benchmark",
        "job_id": job_id,
        "video": video,
        "sha256": hashlib.sha256(video).hexdigest(),
        "recipe": {"job_id": job_id},
        "facts": {},
    }


def serve():
    """Be the server: answer each line on stdin with a line of JSON."""
    from tests.modal.servicer import FakeModal

    with FakeModal(executor=engine, max_containers=8) as fake:
        print(json.dumps(fake.environment), flush=True)
        for line in sys.stdin:
            if line.strip() in {"hold", "release"}:
                getattr(fake, line.strip())()
            counts = {"calls": len(fake.calls), "rpcs": dict(fake.rpc_counts)}
            counts["done"] = sum(call.status == "done" for call in fake.calls.values())
            counts["runs"] = sum(call.runs for call in fake.calls.values())
            fake.traffic.clear()
            print(json.dumps(counts), flush=True)


class Server:
    """The server in its process."""

    def __init__(self):
        command = [sys.executable, __file__, "--serve"]
        paths = os.pathsep.join([str(ROOT), *sys.path])
        self._process = subprocess.Popen(
            command,
            env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        os.environ.update(json.loads(self._process.stdout.readline()))

    def ask(self, word="count"):
        """Return the counts since the last question."""
        self._process.stdin.write(word + "\n")
        self._process.stdin.flush()
        return json.loads(self._process.stdout.readline())

    def stop(self):
        """End it."""
        self._process.stdin.close()
        self._process.wait()


class Memory:
    """Watches how much this process holds."""

    def __init__(self):
        import psutil

        self._process = psutil.Process()
        self.start_mib = self.peak_mib = self._now()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch)
        self._thread.start()

    def _now(self):
        return self._process.memory_info().rss / 2**20

    def _watch(self):
        while not self._ended.wait(0.05):
            self.peak_mib = max(self.peak_mib, self._now())

    def stop(self):
        """Look no more."""
        self._ended.set()
        self._thread.join()


def phase(name, pool, server, work, items):
    """Do something for each item and say how fast it went and what it asked for."""
    server.ask()
    start = time.perf_counter()
    results = list(pool.map(work, items))
    seconds = time.perf_counter() - start
    rpcs = server.ask()["rpcs"]
    found = {
        "seconds": round(seconds, 2),
        "jobs_a_second": round(len(items) / seconds, 1),
        "rpcs_a_job": round(sum(rpcs.values()) / len(items), 3),
        "rpcs": rpcs,
    }
    print(f"{name:8} {found['jobs_a_second']:8} jobs/s   {found['rpcs_a_job']} RPCs a job")
    return results, found


def measure(tm, jobs, threads, server):
    """Submit, poll and fetch."""
    tm.text_to_video(MODEL, {"prompt": "warm up"}, **SETTINGS)  # Deploys and looks things up.
    server.ask("hold")
    memory = Memory()
    with ThreadPoolExecutor(threads) as pool:
        handles, submit = phase(
            "submit",
            pool,
            server,
            lambda i: tm.text_to_video(MODEL, {"prompt": f"fox {i}"}, **SETTINGS),
            range(jobs),
        )
        ids = [handle.job_id for handle in handles]
        _, poll = phase("poll", pool, server, tm.check_generation_status, ids)
        server.ask("release")
        while server.ask()["done"] < jobs + 1:
            time.sleep(0.1)
        done, fetch = phase("fetch", pool, server, tm.check_generation_status, ids)
    memory.stop()
    assert all(handle.status == "completed" for handle in done)
    assert len({handle.result_video for handle in done}) == jobs
    assert server.ask()["runs"] == jobs + 1
    return {
        "submit": submit,
        "poll": poll,
        "fetch": fetch,
        "memory_mib": {"start": round(memory.start_mib), "peak": round(memory.peak_mib)},
    }


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=16)
    parser.add_argument("--serve", action="store_true")
    given = parser.parse_args()
    if given.serve:
        serve()
        return
    server = Server()
    from tiomagic import TioMagic

    with tempfile.TemporaryDirectory() as folder:
        tm = TioMagic(working_dir=folder, provider="modal")
        found = measure(tm, given.jobs, given.threads, server)
        tm.close()
    server.stop()
    machine = {
        "processor": platform.processor() or platform.machine(),
        "cores": os.cpu_count(),
        "load_average": [round(load, 1) for load in os.getloadavg()],
        "python": platform.python_version(),
    }
    report = {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": machine,
        "jobs": given.jobs,
        "threads": given.threads,
        "video_bytes": VIDEO_BYTES,
        **found,
    }
    RESULT.write_text(json.dumps(report, indent=2) + "\n")


if __name__ == "__main__":
    main()
