"""A small cluster of its own, of two machines with two GPUs each by name, whose engines draw."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import pytest
from tests.ray.cluster import PATIENCE_S, RayCluster
from tests.ray.test_files import wait_for

from tiomagic import TioMagic
from tiomagic.errors import APIError

STANDIN = Path(__file__).parent / "standin"
WORKERS = 4
IDLE_S = 3600


@pytest.fixture
def pair():
    """Two machines of two GPUs."""
    path = os.pathsep.join([str(STANDIN), *filter(None, sys.path)])
    cluster = RayCluster(gpus=2, kind="T4", environment={"PYTHONPATH": path})
    try:
        cluster.start_head()
        cluster.start_node(cpus=2)
        cluster.wait_for_node(1)
        yield cluster
    finally:
        cluster.close()


@pytest.fixture
def connect(pair, tmp_path):
    """Make a ``tm`` with other settings, on the same job store."""
    made = []

    def make(**settings):
        known = {"address": pair.address, "ray_token": pair.token, "worker_idle_s": IDLE_S}
        made.append(TioMagic(working_dir=tmp_path, provider="ray", **known, **settings))
        return made[-1]

    yield make
    for tm in made:
        tm.session.provider("ray").provider.unload()


def draw(tm, *, steps=1, pause_s=0.0):
    """Submit a job of the engines that draw."""
    told = json.dumps({"steps": steps, "pause_s": pause_s})
    return tm.text_to_video("doodle", prompt=told)


def find_workers(tm):
    """Return the nodes of the workers that there are, by their names."""
    connection = tm.session.provider("ray").provider._connection
    return {each["name"]: each["node"] for each in connection.coordinator("describe")["workers"]}


def test_room_is_made_on_one_machine_and_a_new_head_is_found(pair, connect):
    """A job for two GPUs ends the idle workers of one machine; those of the other one stay.

    Then the head ends, and one that is started at the same place gets the next job. One more waits
    for a kind of GPU that the autoscaler adds, here the test, when Ray has been asked for it.
    """
    tm, both = connect(gpu="T4"), connect(gpu="T4:2")
    long = [draw(tm, steps=10_000, pause_s=0.01) for _ in range(WORKERS)]
    until = time.monotonic() + PATIENCE_S
    while len(nodes := find_workers(tm)) < WORKERS or None in nodes.values():
        assert time.monotonic() < until, nodes
        time.sleep(0.1)
    assert len(set(nodes.values())) == 2
    for job in long:
        job.cancel()
    wait_for(tm, long)
    # Each job goes to the one that was idle for the longest: here, of another machine in turn.
    order = [wait_for(tm, [draw(tm)])[0].facts["worker"] for _ in range(WORKERS)]
    if nodes[order[0]] == nodes[order[1]]:
        wait_for(tm, [draw(tm)])
    (job,) = wait_for(both, [draw(both)])
    assert job.status == "completed", job.error
    left = {name: node for name, node in find_workers(tm).items() if name in nodes}
    assert len(left) == 2
    assert len(set(left.values())) == 1

    pair.kill_all()
    pair.start_head()
    (job,) = wait_for(tm, [draw_again(tm)])
    assert job.status == "completed", job.error

    later = draw(connect(gpu="L4", ray_autoscaled_gpus="L4"))
    assert later.refresh().status == "queued"
    pair.kind = "L4"
    pair.start_node(cpus=2)
    (job,) = wait_for(tm, [later])
    assert job.status == "completed", job.error


def draw_again(tm):
    """Submit a job once the new head is found."""
    until = time.monotonic() + PATIENCE_S
    while True:
        try:
            return draw(tm)
        except APIError as error:
            if error.code not in {"unreachable", "no_cluster"} or time.monotonic() > until:
                raise
            time.sleep(0.1)
