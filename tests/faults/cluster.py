"""The same for jobs on a Ray cluster: real heads, nodes and workers, which really die.

The second node is in a network of its own where this user may make one; its cable can be cut.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil
from tests.faults import cluster_parts
from tests.faults.breaking import nothing
from tests.faults.campaign import Campaign, Fault
from tests.ray.cluster import RayCluster

if TYPE_CHECKING:
    from tests.ray.networks import NetworkSpace

STANDIN = Path(__file__).parents[1] / "ray" / "standin"
WORKER, COORDINATOR, DRIVER = (
    "ray::ClusterWorker",
    "ray::Coordinator",
    "tiomagic_ray.cluster.driver",
)
MAKING_S = 30.0
"""How long a fault waits for the moment that it strikes at."""
RECOVERY_S = 400.0
NODE_STARTS = 3
LEFT_S = 180.0
"""A node that was cut off, and what is on it, is gone after this."""


MOMENTS = {"any": 0, "one makes": 1, "both make": 2}
"""When a fault strikes: as soon as so many runs have begun."""


class ClusterCampaign(Campaign):
    """One series of runs on a cluster.

    Args:
        folder, seed: As for ``Campaign``.
        cluster: One whose head and second node run.
        space: The network of the second node; None when it shares this one.
        diary: The file into which workers write.
    """

    parts_class = cluster_parts.ClusterProcessParts

    def __init__(
        self,
        folder: Path,
        seed: int,
        cluster: RayCluster,
        space: NetworkSpace | None,
        diary: Path,
    ) -> None:
        super().__init__(folder, seed)
        self.cluster, self.space, self._diary = cluster, space, diary
        self.node = 1
        self.moments = Counter[str]()
        self.seconds = Counter[str]()

    def run(self, name: str, fault: Fault, moment: str | None = None) -> None:
        """Run some jobs with one fault, then recover until nothing is open."""
        began = time.monotonic()
        self._number += 1
        self.faults[name] += 1
        for index in range(cluster_parts.JOBS):
            self._fault_of[self._number * cluster_parts.JOBS + index] = name
        moment = moment or self.chance.choice(list(MOMENTS))
        self.moments[moment] += 1
        self._wait_for_node()
        before = len(self.runs())
        caller = self.fork(
            "caller",
            cluster_parts.submit_and_wait,
            to=self._callers,
            parts_class=self.parts_class,
            number=self._number,
            retry=self.chance.randrange(2),
        )
        self._wait_for_runs(caller, before + MOMENTS[moment])
        fault(self, caller)
        self.restore()
        self._finish_all(caller)
        self.seconds[name] += round(time.monotonic() - began)

    def _wait_for_node(self) -> None:
        """Wait until the second node has joined; start it again where the machine was too busy."""
        for _ in range(NODE_STARTS):
            try:
                self.cluster.wait_for_node(self.node)
            except RuntimeError as error:
                print(error, flush=True)
            else:
                return
            self.kill(self.cluster.processes_of(self.node))
            self.restore()
        raise RuntimeError("no second node")

    def _wait_for_runs(self, caller: int, number: int) -> None:
        """Wait until so many runs have begun, and a little more; at most until the caller is done.

        A job that waits for the only worker does not begin while the other one is made.
        """
        until = time.monotonic() + MAKING_S
        while len(self.runs()) < number and not self.is_over(caller):
            if time.monotonic() > until:
                break
            self.pause(0.05)
        self.pause(self.chance.uniform(0.0, 3.0))

    def _finish_all(self, caller: int) -> None:
        self.finish(caller, RECOVERY_S)
        recoverer = self.fork(
            "recoverer",
            cluster_parts.parts.recover_all,
            parts_class=self.parts_class,
            bound_s=RECOVERY_S,
        )
        self.finish(recoverer, RECOVERY_S + 30)

    def restore(self) -> None:
        """Let the head and a second node be there, whatever a fault has ended."""
        if not any(self.is_raylet(each) for each in self.cluster.processes_of(self.cluster.head)):
            self.kill(self.cluster.processes_of(self.cluster.head))
            self.cluster.start_head()
            self.node = -1
        if not any(self.is_raylet(each) for each in self.cluster.processes_of(self.node)):
            self.node = len(self.cluster.started)
            self.cluster.start_node(place=self.space)

    def kill(self, processes: list[psutil.Process]) -> None:
        """End processes at once."""
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(signal.SIGKILL)
        psutil.wait_procs(processes, timeout=30)

    def is_raylet(self, process: psutil.Process) -> bool:
        """Return whether a process is the one that makes a node."""
        with contextlib.suppress(psutil.Error):
            is_dead = process.status() == psutil.STATUS_ZOMBIE
            return not is_dead and Path(process.cmdline()[0]).name == "raylet"
        return False

    def runs(self) -> dict[str, list[tuple[str, str, float]]]:
        """Return what the diary has of each run: the job, the word, the moment."""
        found: dict[str, list[tuple[str, str, float]]] = {}
        lines = self._diary.read_text().splitlines() if self._diary.exists() else []
        for line in lines:
            word, job_id, run, moment = line.split()
            found.setdefault(run, []).append((job_id, word, float(moment)))
        return found

    def end(self) -> dict[str, Any]:
        """Wait until no worker is left, and return what was found.

        Raises:
            AssertionError: when something is not true.
        """
        until = time.monotonic() + LEFT_S
        while self.cluster.find(WORKER):
            assert time.monotonic() < until, f"left over: {self.cluster.find(WORKER)}"
            self.pause(0.2)
        names = self.list_actors()
        # After a head's end there is none before somebody asks for a job.
        assert set(names) <= {"coordinator"}, names
        return super().end()

    def list_actors(self) -> list[str]:
        """Return the names of all actors that Ray has, in whatever state."""
        script = (
            "import ray, sys, json; ray.init(sys.argv[1], log_to_driver=False);"
            "print(json.dumps([a['name'] for a in ray.util.list_named_actors(True)]))"
        )
        command = [sys.executable, "-c", script, self.cluster.address]
        token = {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": self.cluster.token}
        done = subprocess.run(
            command, env=os.environ | token, capture_output=True, text=True, check=True, timeout=120
        )
        return list(json.loads(done.stdout.splitlines()[-1]))

    def _stored(self) -> list[dict[str, Any]]:
        """Return the jobs, with their number in place of the prompt's end."""
        jobs = super()._stored()
        for job in jobs:
            job["prompt"] = f"number {_number_of(job)}"
        return jobs

    def _check_jobs(self, jobs: list[dict[str, Any]]) -> dict[str, Any]:
        workers_lost = unclaimed = 0
        begun = Counter(events[0][0] for events in self.runs().values())
        not_sent = 0
        for job in jobs:
            record = self._record(job["job_id"])
            if record is None:
                # It never came to the cluster: its caller, the head or the coordinator was gone.
                assert not begun[job["job_id"]], job
                assert job["status"] == "failed", job
                assert job["error_code"] in {"lost", "no_cluster", "unreachable"}, job
                self._fault_of.pop(_number_of(job))
                not_sent += 1
                continue
            workers_lost += record["lost"]
            unclaimed += record["unclaimed"]
            assert record["state"] == "done", record
            assert record["outcome"]["status"] == job["status"], (job, record)
            if job["status"] == "failed":
                assert job["error_code"] in {"worker_lost", "lost"}, job
            # Each run but the last was lost with its worker.
            assert begun[job["job_id"]] <= 1 + record["lost"] + record["unclaimed"], (job, record)
        found = super()._check_jobs(jobs)
        return {
            **found,
            "moments": dict(sorted(self.moments.items())),
            "not_sent": not_sent,
            "runs_lost_with_their_worker": workers_lost,
            "lost_before_a_worker_claimed_them": unclaimed,
            "made_again_after_a_lost_worker": sum(begun.values()) - len(begun),
            "left_actors": 0,
            "seconds_of_faults": dict(sorted(self.seconds.items())),
        }

    def _record(self, job_id: str) -> dict[str, Any] | None:
        """Return what the coordinator has of a job."""
        path = self.cluster.state / "jobs" / f"{job_id}.json"
        return dict(json.loads(path.read_text())) if path.exists() else None

    def _check_work(self) -> dict[str, int]:
        """Look whether any job was made by two workers at once."""
        spans: dict[str, list[tuple[float, float]]] = {}
        for events in self.runs().values():
            moments = [moment for _, _, moment in events]
            spans.setdefault(events[0][0], []).append((min(moments), max(moments)))
        for job_id, times in spans.items():
            times.sort()
            for (_, end), (begin, _) in itertools.pairwise(times):
                assert end <= begin, (job_id, times)
        return {"made_twice_at_once": 0, "runs_of_workers": sum(map(len, spans.values()))}


def _number_of(job: dict[str, Any]) -> int:
    return int(json.loads(json.loads(job["required_args"])["prompt"])["number"])


@contextlib.contextmanager
def cluster_in(folder: Path, space: NetworkSpace | None) -> Iterator[tuple[RayCluster, Path]]:
    """Give a cluster of two nodes of one CPU, whose workers keep a diary, and the diary."""
    diary = folder / "diary"
    environment = {
        "PYTHONPATH": os.pathsep.join([str(STANDIN), *filter(None, sys.path)]),
        "STANDIN_DIARY": str(diary),
    }
    host = space.outside if space else "127.0.0.1"
    cluster = RayCluster(cpus=1, host=host, environment=environment)
    try:
        cluster.start_head()
        cluster.start_node(place=space)
        os.environ[cluster_parts.ADDRESS_VARIABLE] = cluster.address
        os.environ[cluster_parts.TOKEN_VARIABLE] = cluster.token
        yield cluster, diary
    finally:
        cluster.close()


def _kill_one(word: str) -> Fault:
    def strike(campaign: ClusterCampaign, caller: int) -> None:
        found = campaign.cluster.find(word)
        if found:
            campaign.kill([campaign.chance.choice(found)])

    return strike


def kill_workers(campaign: ClusterCampaign, caller: int) -> None:
    """Every worker dies, and perhaps the next ones as well."""
    campaign.kill(campaign.cluster.find(WORKER))
    if campaign.chance.random() < 0.5:
        campaign.pause(campaign.chance.uniform(0.5, 4.0))
        campaign.kill(campaign.cluster.find(WORKER))


def stop_coordinator(campaign: ClusterCampaign, caller: int) -> None:
    """It is silent for a while, and does not know it."""
    _stop(campaign, campaign.cluster.find(COORDINATOR), campaign.chance.uniform(3.0, 30.0))


def stop_worker(campaign: ClusterCampaign, caller: int) -> None:
    """One worker is silent for a while, on a node that is well."""
    _stop(campaign, campaign.cluster.find(WORKER)[:1], campaign.chance.uniform(3.0, 30.0))


def freeze_node(campaign: ClusterCampaign, caller: int) -> None:
    """The second node stands still until Ray has given it up, and then goes on."""
    _stop(campaign, campaign.cluster.processes_of(campaign.node), 50.0)


def _stop(campaign: ClusterCampaign, processes: list[psutil.Process], seconds: float) -> None:
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for process in processes:
            with contextlib.suppress(psutil.Error):
                process.send_signal(number)
        if number is signal.SIGSTOP:
            campaign.pause(seconds)


def kill_raylet(campaign: ClusterCampaign, caller: int) -> None:
    """The process that makes the second node a node dies; its workers are alone."""
    processes = campaign.cluster.processes_of(campaign.node)
    campaign.kill([each for each in processes if campaign.is_raylet(each)])


def kill_node(campaign: ClusterCampaign, caller: int) -> None:
    """The second node's power fails."""
    campaign.kill(campaign.cluster.processes_of(campaign.node))


def kill_head(campaign: ClusterCampaign, caller: int) -> None:
    """The head dies with all that ran on its machine; the second node is alone."""
    campaign.kill(campaign.cluster.processes_of(campaign.cluster.head))
    campaign.pause(campaign.chance.uniform(0.0, 5.0))


def kill_cluster(campaign: ClusterCampaign, caller: int) -> None:
    """The power of all machines fails."""
    campaign.cluster.kill_all()


def kill_driver(campaign: ClusterCampaign, caller: int) -> None:
    """Ray's driver beside the caller dies."""
    with contextlib.suppress(psutil.Error):
        children = psutil.Process(caller).children(recursive=True)
        campaign.kill([each for each in children if DRIVER in each.cmdline()])


def kill_caller(campaign: ClusterCampaign, caller: int) -> None:
    """The caller dies, and its driver with it."""
    if not campaign.is_over(caller):
        os.kill(caller, signal.SIGKILL)


def _cut(low: float, high: float) -> Fault:
    def strike(campaign: ClusterCampaign, caller: int) -> None:
        assert campaign.space is not None, "needs a network of its own"
        campaign.space.cut()
        campaign.pause(campaign.chance.uniform(low, high))
        campaign.space.mend()

    return strike


def cancel(campaign: ClusterCampaign, caller: int) -> None:
    """Somebody else wants the jobs to stop."""
    campaign.fork_canceler()


def cancel_and_kill(campaign: ClusterCampaign, caller: int) -> None:
    """The same, and a worker dies."""
    campaign.fork_canceler()
    _kill_one(WORKER)(campaign, caller)


NETWORK_FAULTS = frozenset({"cut_off", "cut_short"})
"""Those that need a network of its own."""
HARMLESS = frozenset(
    {"cut_short", "kill_coordinator", "kill_driver", "nothing", "stop_coordinator", "stop_worker"}
)
"""Those after which a job must be completed."""
CLUSTER_FAULTS: dict[str, Callable[..., None]] = {
    "cancel": cancel,
    "cancel_and_kill": cancel_and_kill,
    "cut_off": _cut(40.0, 55.0),
    "cut_short": _cut(2.0, 6.0),
    "freeze_node": freeze_node,
    "kill_caller": kill_caller,
    "kill_cluster": kill_cluster,
    "kill_coordinator": _kill_one(COORDINATOR),
    "kill_driver": kill_driver,
    "kill_head": kill_head,
    "kill_node": kill_node,
    "kill_raylet": kill_raylet,
    "kill_worker": _kill_one(WORKER),
    "kill_workers": kill_workers,
    "nothing": nothing,
    "stop_coordinator": stop_coordinator,
    "stop_worker": stop_worker,
}
"""Every fault of a campaign on a cluster by its name."""
