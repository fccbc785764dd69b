"""Tries whether a queue of Ray's own could hold the jobs that wait for a worker of a cluster.

A waiting job must go to whichever worker is free first, one that has its model before others; it
must outlive the process that sent it, and the one that holds the queue; another process must be
able to withdraw it and to say its position. Each part here says what one of Ray's queues does.

``uv run python benchmarks/ray_queues.py`` starts a head on loopback, and writes
``benchmarks/results/ray_queues.json``.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "benchmarks")]  # The test suite starts heads for us.

from store import describe_machine  # noqa: E402
from tests.ray.cluster import RayCluster  # noqa: E402

RESULT = ROOT / "benchmarks" / "results" / "ray_queues.json"
TASKS, TASK_S = 4, 2.0
SETTLED_S = 4 * TASK_S
SENDER = """
import sys, time, ray
ray.init(sys.argv[1], namespace="trial", log_to_driver=False)
actor = ray.get_actor("alone")
sent = [actor.work.remote(2.0) for _ in range(4)]
ray.get(sent[0])
print("sent", flush=True)
time.sleep(600)
"""


def main() -> None:
    """Try, print and write the result."""
    cluster = RayCluster(cpus=4)
    try:
        cluster.start_head()
        os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": cluster.token}
        import ray

        ray.init(cluster.address, namespace="trial", log_to_driver=False)
        result: dict[str, Any] = {
            "machine": describe_machine(),
            "ray": ray.__version__,
            "date": datetime.now(UTC).isoformat(timespec="seconds"),
            "task_queue_of_an_actor": try_task_queue(ray, cluster),
            "ray.util.queue.Queue": try_queue(ray, cluster),
            "ray.util.ActorPool": try_pool(ray),
        }
        ray.shutdown()
    finally:
        cluster.close()
    RESULT.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=2))


def make_worker(ray: Any, **options: Any) -> Any:
    """Return an actor that works for some seconds, and counts what it has done."""

    class TrialWorker:
        def __init__(self) -> None:
            self._done = 0

        def work(self, seconds: float) -> None:
            time.sleep(seconds)
            self._done += 1

        def count(self) -> int:
            return self._done

        def end(self) -> None:
            os.kill(os.getpid(), signal.SIGKILL)

    return ray.remote(TrialWorker).options(num_cpus=0, **options).remote()


def try_task_queue(ray: Any, cluster: RayCluster) -> dict[str, Any]:
    """Tasks that wait for an actor: do they go to another, and do they outlive who sent them?"""
    busy, free = make_worker(ray), make_worker(ray)
    ray.get([busy.count.remote(), free.count.remote()])
    sent = [busy.work.remote(TASK_S) for _ in range(TASKS)]
    ray.get(sent)
    moved = ray.get(free.count.remote())
    alone = make_worker(ray, name="alone", lifetime="detached")
    ray.get(alone.count.remote())
    sender = subprocess.Popen(
        [sys.executable, "-c", SENDER, cluster.address], stdout=subprocess.PIPE, text=True
    )
    assert sender.stdout is not None
    assert sender.stdout.readline().strip() == "sent"
    sender.kill()
    sender.wait()
    time.sleep(SETTLED_S + TASKS * TASK_S)
    done = ray.get(alone.count.remote())
    ray.kill(alone)
    sent = [busy.work.remote(TASK_S) for _ in range(TASKS)]
    ray.get(sent[0])
    ray.kill(busy)
    return {
        "tasks": TASKS,
        "taken_by_a_free_actor": moved,
        "done_of_a_sender_that_died_after_the_first": done,
        "lost_with_an_actor_that_died_after_the_first": sum(is_lost(ray, task) for task in sent),
    }


def is_lost(ray: Any, task: Any) -> bool:
    """Return whether a task ended with its actor."""
    try:
        ray.get(task)
    except ray.exceptions.RayActorError:
        return True
    return False


def try_queue(ray: Any, cluster: RayCluster) -> dict[str, Any]:
    """A queue in an actor: is what waits still there when the actor comes back?"""
    from ray.util.queue import Queue

    queue = Queue(actor_options={"max_restarts": -1, "num_cpus": 0})
    for number in range(TASKS):
        queue.put(number)
    (held,) = cluster.find("_QueueActor")
    held.kill()
    held.wait(30)
    for _ in range(60):
        with contextlib.suppress(ray.exceptions.RayActorError):
            left = queue.qsize()
            break
        time.sleep(0.5)
    else:
        raise TimeoutError("the actor of the queue did not come back")
    methods = sorted(name for name in dir(Queue) if not name.startswith("_"))
    return {"put": TASKS, "left_after_its_actor_came_back": left, "methods": methods}


def try_pool(ray: Any) -> dict[str, Any]:
    """A pool: does it notice that an actor has died?"""
    from ray.util import ActorPool

    first, second = make_worker(ray), make_worker(ray)
    pool = ActorPool([first, second])
    first.end.remote()
    for _ in range(2 * TASKS):
        pool.submit(lambda actor, seconds: actor.work.remote(seconds), 0.1)
    failed = 0
    while pool.has_next():
        try:
            pool.get_next_unordered()
        except ray.exceptions.RayActorError:
            failed += 1
    methods = sorted(name for name in dir(ActorPool) if not name.startswith("_"))
    return {"submitted": 2 * TASKS, "given_to_a_dead_actor": failed, "methods": methods}


if __name__ == "__main__":
    main()
