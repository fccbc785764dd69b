"""1,000 logical GPUs on one machine: what Ray places in a second, and what our coordinator does.

Ray's part runs on its own fake nodes (``ray.cluster_utils.Cluster``): places for workers are
reserved as placement groups, for 1,000 processes would not fit here. Our part is the real
coordinator with its real folder, in main memory, and in this process. Its workers are objects that
finish at once, so what is measured is the coordinator alone, without Ray's calls.
"""

# ruff: noqa: ASYNC110, SLF001 - what is measured is inside, and has no event to wait for.

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
import uuid
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import psutil

GPUS, NODES = 1000, 4
IN_MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
PATIENT = {
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_enable_metrics_collection": "0",
    # On a busy machine the agents of a node take longer than Ray waits for them.
    "RAY_agent_register_timeout_ms": "300000",
    "RAY_raylet_start_wait_time_s": "240",
}
TOLD_WITHIN_S = 30
HELLOS = 2000


def measure_scheduling(jobs):
    """Measure both parts; Ray's in a process of its own, for a cluster's settings stay."""
    ours = asyncio.run(measure_coordinator(GPUS, jobs))
    print("coordinator", ours, flush=True)
    code = "import cluster_scheduling, json; print(json.dumps(cluster_scheduling.measure_ray()))"
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=Path(__file__).parent,
        env={**os.environ, **PATIENT},
        stdout=subprocess.PIPE,
        check=True,
        text=True,
    )
    rays = json.loads(done.stdout.strip().splitlines()[-1])
    print("ray", rays, flush=True)
    return {"gpus": GPUS, "jobs": jobs, "coordinator": ours, "ray": rays}


def measure_ray():
    """Reserve every logical GPU of Ray's fake nodes, one at a time as workers would."""
    from ray.cluster_utils import Cluster
    from ray.util.placement_group import placement_group, remove_placement_group

    import ray

    quiet = {"enable_worker_prestart": False, "prestart_worker_first_driver": False}
    small = {"object_store_memory": 80 * 10**6, "num_cpus": 1, "include_dashboard": False}
    began = time.perf_counter()
    cluster = Cluster(
        initialize_head=True,
        head_node_args={**small, "num_gpus": 0, "_system_config": quiet},
    )
    try:
        small.pop("include_dashboard")
        for _ in range(NODES):
            cluster.add_node(**small, num_gpus=GPUS // NODES)
        ray.init(address=cluster.address, log_to_driver=False, logging_level="error")
        started = time.perf_counter() - began
        me, load = psutil.Process(), os.getloadavg()[0]
        before = me.memory_info().rss
        began = time.perf_counter()
        groups = [placement_group([{"GPU": 1}]) for _ in range(GPUS)]
        asked = time.perf_counter() - began
        assert all(group.wait(120) for group in groups)
        placed = time.perf_counter() - began
        used = me.memory_info().rss - before
        # The nodes say a moment later what is taken.
        until = time.monotonic() + TOLD_WITHIN_S
        while (free := ray.available_resources().get("GPU", 0)) and time.monotonic() < until:
            time.sleep(0.1)
        for group in groups:
            remove_placement_group(group)
        ray.shutdown()
    finally:
        cluster.shutdown()
    assert free == 0, free
    return {
        "nodes": NODES,
        "seconds_to_start_nodes": round(started, 1),
        "seconds_to_ask": round(asked, 2),
        "seconds_to_place": round(placed, 2),
        "placed_per_s": round(GPUS / placed),
        "driver_mib_before": round(before / 2**20),
        "driver_mib_grown": round(used / 2**20, 1),
        "load": round(load, 1),
    }


class Call:
    """A method of a worker as Ray has it."""

    def __init__(self, method):
        self.remote = method


class SimulatedWorker:
    """A worker that finishes each job as soon as the gate is open."""

    def __init__(self, name, placement, side):
        self.name, self.placement, self.side = name, placement, side
        self.describe, self.live = Call(self._describe), Call(self._live)
        self.run = Call(self._run)

    async def _describe(self):
        return {"node": "n", "host": "h", "name": self.name, "placement": self.placement.to_list()}

    async def _live(self):
        await asyncio.Event().wait()

    def _run(self, task, attempt):
        return asyncio.ensure_future(self._finish(task["job"]["job_id"], attempt))

    async def _finish(self, job_id, attempt):
        await self.side.gate.wait()
        outcome = {"status": "completed", "message": "", "shared": "/", "logs": ""}
        await self.side.coordinator.finish(self.name, job_id, attempt, outcome)
        self.side.finished += 1
        return True


def build_coordinator(folder, gpus, side):
    """Return the real coordinator with simulated workers."""
    from tiomagic_ray.cluster import coordinator, dispatcher

    made = 0

    def start(name, placement, idle_s):  # noqa: ARG001 - as the real one
        nonlocal made
        made += 1
        if made > gpus:
            return SimpleNamespace(describe=Call(asyncio.Event().wait), live=None)
        return SimulatedWorker(name, placement, side)

    dispatcher.start_worker = start
    dispatcher.list_workers = list
    dispatcher.find_room = lambda: {"n": {"GPU": 0.0, "CPU": 0.0}}
    real = coordinator.ray
    coordinator.ray = dispatcher.ray = SimpleNamespace(
        exceptions=real.exceptions,
        __version__=real.__version__,
        kill=lambda _handle: None,
        get_runtime_context=lambda: SimpleNamespace(gcs_address="h:1"),
    )
    os.environ["TIOMAGIC_RAY_FOLDER"] = folder
    return coordinator.Coordinator()


def order_of(number):
    """Return what a caller submits."""
    job = {"job_id": str(uuid.UUID(int=number)), "model": "doodle"}
    return {
        "task": {"job": job, "media": {}, "shared": "/"},
        "placement": [1, None],
        "idle_s": 3600.0,
        "retry": 0,
    }


async def measure_coordinator(gpus, jobs):
    """Measure jobs in a second, with none waiting and with many, and beats in a second."""
    with tempfile.TemporaryDirectory(dir=IN_MEMORY) as folder:
        side = SimpleNamespace(finished=0, gate=asyncio.Event())
        coordinator = side.coordinator = build_coordinator(folder, gpus, side)
        load = os.getloadavg()[0]
        fill = await submit_all(coordinator, range(gpus))
        while sum(worker.job_id is not None for worker in coordinator._dispatcher.workers) < gpus:
            await asyncio.sleep(0.01)
        wait = await submit_all(coordinator, range(gpus, gpus + jobs))
        with timed(gpus + jobs) as drain:
            side.gate.set()
            while side.finished < gpus + jobs:
                await asyncio.sleep(0.01)
        with timed(jobs) as free:
            await submit_all(coordinator, range(gpus + jobs, gpus + 2 * jobs))
            while side.finished < gpus + 2 * jobs:
                await asyncio.sleep(0.01)
        names = [worker.name for worker in coordinator._dispatcher.workers][:gpus]
        began = time.process_time()
        for number in range(HELLOS):
            await coordinator.hello(beat_of(names[number % len(names)]))
        beat = time.process_time() - began
        began = time.process_time()
        known = [record.job_id for record in coordinator._jobs]
        for job_id in known:
            await coordinator.look(job_id)
        look = time.process_time() - began
        return {
            "submit_with_a_new_worker": fill,
            "submit_while_all_work": wait,
            "next_job_of_a_worker": drain,
            "job_with_free_workers": free,
            "cpu_us_a_beat": round(1e6 * beat / HELLOS, 1),
            "cpu_us_a_look": round(1e6 * look / len(known), 1),
            "mib": round(psutil.Process().memory_info().rss / 2**20),
            "load": round(load, 1),
        }


@contextmanager
def timed(count):
    """Measure a number of jobs: processor time and time of each, the records on the disk in it."""
    found = {}
    began, used = time.perf_counter(), time.process_time()
    yield found
    found["cpu_ms"] = round(1000 * (time.process_time() - used) / count, 2)
    found["ms"] = round(1000 * (time.perf_counter() - began) / count, 2)


async def submit_all(coordinator, numbers):
    """Submit jobs; return what each took."""
    with timed(len(numbers)) as found:
        for number in numbers:
            await coordinator.submit(order_of(number))
            await asyncio.sleep(0)
    return found


def beat_of(name):
    """Return what an idle worker says."""
    return {
        "name": name,
        "placement": [1, None],
        "model": "doodle",
        "job_id": None,
        "attempt": None,
        "progress": None,
        "preview": None,
        "logs": "",
    }
