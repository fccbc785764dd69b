"""A small sample of the campaign; ``python -m tests.faults`` runs all of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.storage.postgresql import REQUIRED, find_binaries

ROOT = Path(__file__).parents[2]
REQUIRED_HERE = os.environ.get(REQUIRED) == "required" or "CI" in os.environ

SAMPLE = """
import sys
from pathlib import Path
from tests.faults.breaking import FAULTS, HARMLESS_FAULTS, NAMESPACE_FAULTS
from tests.faults.campaign import Campaign
from tests.faults.spaces import can_unshare
campaign = Campaign(Path(sys.argv[1]), seed=20, lock_s=1.0)
campaign.harmless_faults = HARMLESS_FAULTS
names = sorted(set(FAULTS) - {"full_disk"} - (set() if can_unshare() else NAMESPACE_FAULTS))
for name in names:
    campaign.run(name, FAULTS[name])
counts = campaign.end()
assert counts["runs"] == len(names), counts
assert sum(counts["jobs"].values()) <= counts["runs"], counts
"""

SERVER_SAMPLE = """
import sys
from pathlib import Path
from tests.faults.breaking import SERVER_FAULTS
from tests.faults.campaign import Campaign
from tests.storage.postgresql import create_database, find_binaries, run_server
with run_server(find_binaries()) as server, create_database(server) as url:
    campaign = Campaign(Path(sys.argv[1]), seed=21, server=url)
    for name in ("cut_connections", "end_connections", "lose_answers"):
        campaign.run(name, SERVER_FAULTS[name])
    counts = campaign.end()
assert sum(counts["jobs"].values()) <= counts["runs"] == 3, counts
"""


def run(sample: str, folder: Path, timeout_s: float = 280.0) -> None:
    """Run a sample in a process of its own: a test runner has threads; those who fork must not."""
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", sample, str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=timeout_s,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(sys.platform == "win32", reason="the campaign forks")
def test_after_each_fault_the_truth_is_told(tmp_path: Path) -> None:
    """One run a fault: every job ends truly, every video is whole, and none is made twice."""
    run(SAMPLE, tmp_path / "place")


@pytest.mark.skipif(find_binaries() is None and not REQUIRED_HERE, reason="no PostgreSQL here")
def test_a_server_that_drops_connections_loses_nothing(tmp_path: Path) -> None:
    """Cut, ended, and without an answer: the same truth on PostgreSQL."""
    run(SERVER_SAMPLE, tmp_path / "place")


REMOTE_SAMPLE = """
import sys
from pathlib import Path
from tests.faults.remote import REMOTE_FAULTS, RemoteCampaign
from tests.faults.remote_parts import RemoteProcessParts, workspace_in
RemoteProcessParts.lost_after_s = 240.0  # None of these is lost, however slow the machine.
state_dir = Path(sys.argv[1]).parent / "modal"
with workspace_in(state_dir) as workspace:
    campaign = RemoteCampaign(Path(sys.argv[1]), 22, workspace, state_dir)
    for name, moment in (
        ("kill_caller", "sending"),
        ("kill_server", "sending"),
        ("drop_connections", "fetching"),
        ("stop_caller", "asking"),
    ):
        campaign.run(name, REMOTE_FAULTS[name], moment)
    counts = campaign.end()
assert counts["runs"] == sum(counts["jobs"].values()) == 4, counts
assert counts["jobs"] == {"completed": 4}, counts
"""


@pytest.mark.skipif(sys.platform == "win32", reason="the campaign forks")
def test_a_job_on_modal_survives_its_caller_and_the_server(tmp_path: Path) -> None:
    """Killed and cut in the middle of it: each job is sent once, made once, and comes home."""
    run(REMOTE_SAMPLE, tmp_path / "place")


CLUSTER_SAMPLE = """
import sys
from contextlib import nullcontext
from pathlib import Path
from tests.faults import cluster_parts
from tests.faults.cluster import CLUSTER_FAULTS, ClusterCampaign, cluster_in
from tests.ray.networks import NetworkSpace, can_make_networks
cluster_parts.IDLE_S = 5
folder = Path(sys.argv[1])
network = NetworkSpace() if can_make_networks() else nullcontext()
with network as space, cluster_in(folder.parent, space) as (cluster, diary):
    campaign = ClusterCampaign(folder, 23, cluster, space, diary)
    for name in ("kill_head", "kill_workers"):  # The first with long runs.
        campaign.run(name, CLUSTER_FAULTS[name], "one makes")
    counts = campaign.end()
assert counts["runs"] == 2, counts
assert sum(counts["jobs"].values()) == 2 * cluster_parts.JOBS, counts
assert counts["runs_lost_with_their_worker"] > 0, counts
"""


@pytest.mark.timeout(900)  # A cluster's head, twice, and its workers.
@pytest.mark.skipif(sys.platform == "win32", reason="the campaign forks")
def test_a_job_on_a_cluster_survives_its_workers_and_the_head(tmp_path: Path) -> None:
    """Each ends truly, by its number of retries; none is made by two at once; no worker is left."""
    run(CLUSTER_SAMPLE, tmp_path / "place", timeout_s=880.0)
