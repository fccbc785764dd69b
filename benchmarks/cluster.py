"""A Ray cluster of this machine: videos by workers, overhead of a job, 1,000 logical GPUs.

::

    uv run python benchmarks/cluster.py videos      64 doodle jobs: one process, 1 worker, 2 workers
    uv run python benchmarks/cluster.py overhead    1,000 jobs of an engine that returns at once
    uv run python benchmarks/cluster.py scheduling  Ray's own fake nodes, and our coordinator

The heads are those of the tests, ended by their own process ids. Each result, with the load of the
machine beside it, goes to ``benchmarks/results/cluster_<name>.json``.
"""

# ruff: noqa: SLF001 - what is measured is inside.

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # One core for each worker, and for the one process.
ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]

import psutil  # noqa: E402
from report import write  # noqa: E402
from tests.ray.cluster import RayCluster  # noqa: E402

from tiomagic import TioMagic  # noqa: E402

SMALL = {"num_inference_steps": 1, "guidance_scale": 1.0}
NO_OP = Path(__file__).parent / "no_op_engines"
"""Stands in for the package of the engines, on the cluster alone."""
ROLES = {"coordinator": "ray::Coordinator", "workers": "ray::ClusterWorker"}


@contextmanager
def running(cpus, *, engines=None):
    """Have a cluster of this machine."""
    cluster = RayCluster(cpus=cpus)
    usual = os.environ.get("PYTHONPATH")
    if engines is not None:
        os.environ["PYTHONPATH"] = str(engines)
    try:
        cluster.start_head()
        yield cluster
    finally:
        if engines is not None:
            os.environ.pop("PYTHONPATH") if usual is None else os.environ.update(PYTHONPATH=usual)
        cluster.close()


def requests_of(count, first=0):
    """Return that many different requests."""
    return [
        {
            "feature": "text_to_video",
            "model": "doodle",
            "prompt": "a red circle",
            "seed": n,
            **SMALL,
        }
        for n in range(first, first + count)
    ]


def make_all(tm, requests):
    """Run a batch; return its seconds and the load of the machine when it began and ended."""
    began, load = time.perf_counter(), os.getloadavg()[0]
    made = tm.batch(requests, progress=False)
    seconds = time.perf_counter() - began
    assert not made.failures, made.failures[0].error
    loads = [round(load, 1), round(os.getloadavg()[0], 1)]
    return {
        "seconds": round(seconds, 1),
        "jobs_per_s": round(len(requests) / seconds, 3),
        "load": loads,
    }


def measure_videos(jobs):
    """Make the same videos in one process, and with one and two workers."""
    found = {}
    with tempfile.TemporaryDirectory() as name:
        tm = TioMagic(working_dir=name, provider="local")
        make_all(tm, requests_of(1, first=10_000))
        found["one_process"] = make_all(tm, requests_of(jobs))
        print("one process", found["one_process"], flush=True)
    for workers in (1, 2):
        with running(workers) as cluster, tempfile.TemporaryDirectory() as name:
            tm = connect(cluster, name)
            make_all(tm, requests_of(2 * workers, first=10_000))
            found[f"workers_{workers}"] = make_all(tm, requests_of(jobs))
            print(workers, "workers", found[f"workers_{workers}"], flush=True)
            tm.session.provider("ray").provider.unload()
    return {"jobs": jobs, "settings": SMALL, "model": "doodle", **found}


def measure_overhead(jobs, counts):
    """Run jobs that take no time with more and more workers; they and the callers share cores."""
    found = {}
    for workers in counts:
        with (
            running(workers, engines=NO_OP) as cluster,
            tempfile.TemporaryDirectory() as name,
        ):
            tm = connect(cluster, name)
            make_all(tm, requests_of(4 * workers, first=100_000))
            before = cpu_seconds(cluster, tm)
            measured = make_all(tm, requests_of(jobs))
            after = cpu_seconds(cluster, tm)
            about = tm.session.provider("ray").provider._connection.coordinator("describe")
            measured["workers_there"] = len(about["workers"])
            measured["ms_a_job"] = round(1000 * measured["seconds"] / jobs, 1)
            measured["cpu_ms_a_job"] = {
                role: round(1000 * (after[role] - before[role]) / jobs, 1) for role in after
            }
            driver = psutil.Process(
                tm.session.provider("ray").provider._connection._driver._process.pid
            )
            measured["driver_mib"] = round(driver.memory_info().rss / 2**20)
            found[workers] = measured
            print(workers, "workers", json.dumps(measured), flush=True)
            tm.session.provider("ray").provider.unload()
    return {"jobs": jobs, "workers": found}


def connect(cluster, name):
    """Return what a caller has."""
    return TioMagic(
        working_dir=name,
        provider="ray",
        address=cluster.address,
        ray_token=cluster.token,
        worker_idle_s=3600,
    )


def cpu_seconds(cluster, tm):
    """Return the processor time of each part so far."""
    driver = tm.session.provider("ray").provider._connection._driver._process.pid
    parts = {role: cluster.find(word) for role, word in ROLES.items()}
    parts |= {"caller": [psutil.Process()], "driver": [psutil.Process(driver)]}
    return {role: sum(map(processor_time, found)) for role, found in parts.items()}


def processor_time(process):
    """Return the seconds of a process."""
    used = process.cpu_times()
    return used.user + used.system


def main():
    """Measure what was asked for, and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=["videos", "overhead", "scheduling"])
    parser.add_argument("--jobs", type=int, help="64 videos, or 1,000 jobs")
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 4, 16])
    options = parser.parse_args()
    if options.what == "videos":
        found = measure_videos(options.jobs or 64)
    elif options.what == "overhead":
        found = measure_overhead(options.jobs or 1000, options.workers)
    else:
        from cluster_scheduling import measure_scheduling

        found = measure_scheduling(options.jobs or 1000)
    print(write(f"cluster_{options.what}", found))


if __name__ == "__main__":
    main()
