"""`tiomagic ray up`: a cluster of this machine alone, which ends with the one who started it."""

import os
import secrets
import signal
import subprocess
import sys

import psutil
import pytest
from tests.ray.cluster import PATIENCE_S, free_port

from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.one_machine import _ended, run_cluster
from tiomagic_ray.options import RayOptions

UP = """
import sys
from tiomagic_ray.one_machine import run_cluster
run_cluster(int(sys.argv[1]), 1, sys.argv[2], lambda text: print(text, flush=True))
"""


@pytest.mark.parametrize(("port", "cpus"), [(0, 0), (99999, 0), (6379, -1)])
def test_what_is_not_legal_starts_nothing(port, cpus):
    """Ray takes such a port, and then stands still."""
    said = []
    with pytest.raises(ConfigurationError, match=str(cpus or port)):
        run_cluster(port, cpus, "token", said.append)
    assert not said


def test_the_reason_of_its_end_is_the_last_that_ray_said():
    error = _ended(1, ["Traceback", "ConnectionError: already running", " "])
    assert isinstance(error, ProcessingError)
    assert error.message.endswith("by itself: ConnectionError: already running")


@pytest.mark.server
def test_it_is_on_loopback_and_ends_with_what_started_it():
    """However that ends: a killed process has no time to end its cluster."""
    port, token = free_port(), secrets.token_hex(24)
    first = ["nice", "-n", "-19"] if os.geteuid() == 0 else []
    up = subprocess.Popen(
        [*first, sys.executable, "-c", UP, str(port), token],
        env={**os.environ, "RAY_ENABLE_UV_RUN_RUNTIME_ENV": "0"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    started = []
    assert up.stdout is not None, "it was asked for"
    try:
        said = [up.stdout.readline(), up.stdout.readline()]
        assert f"RAY_ADDRESS=127.0.0.1:{port}" in said[1], said
        assert not any("ray stop" in line for line in said)
        started = psutil.Process(up.pid).children(recursive=True)
        assert outside_of(started) == set()
        connection = ClusterConnection(RayOptions(address=f"127.0.0.1:{port}", token=token))
        assert len(connection.ask("nodes")) == 1
        connection.close()
        up.send_signal(signal.SIGKILL)
        assert psutil.wait_procs(started, timeout=PATIENCE_S)[1] == []
    finally:
        for process in [up, *started]:
            if process.pid == up.pid or process.is_running():
                process.kill()
        up.wait()
        up.stdout.close()


def outside_of(processes):
    """Return where the cluster's own servers listen, other than on loopback."""
    found = set()
    for process in processes:
        if process.is_running() and process.name() in {"gcs_server", "raylet"}:
            for one in process.net_connections("tcp"):
                if one.status == psutil.CONN_LISTEN:
                    found.add(one.laddr.ip.removeprefix("::ffff:"))
    return found - {"127.0.0.1", "::1"}
