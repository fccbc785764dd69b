"""One real Ray cluster for all tests, and what a caller needs to use it."""

from __future__ import annotations

import os
import pickle
import signal
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from filelock import FileLock
from tests.ray.cluster import PATIENCE_S, RayCluster

from tiomagic import TioMagic
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.testing import FakeClock, FakeMediaReader, FakeVideoJoiner
from tiomagic_domain.testing.contracts import provider as provider_contracts
from tiomagic_ray.link.connection import ClusterConnection
from tiomagic_ray.options import RayOptions
from tiomagic_ray.provider import RayProvider

CONNECTED_BY = frozenset({"address", "ray_token"})
"""Settings that a connection depends on."""

SOON_S = 3.0
"""How long a test waits for an answer that does not come."""


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder that the processes of this test run share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if "PYTEST_XDIST_WORKER" in os.environ else base


@pytest.fixture(scope="session")
def cluster(shared: Path) -> Iterator[RayCluster]:
    """A cluster with one node of two CPUs and two GPUs, of the whole test run.

    Tests leave it as it was.

    The first process of the run that needs it starts it, and the last one that leaves ends it.
    """
    running, users = shared / "ray-cluster", shared / "ray-users"
    with FileLock(shared / "ray-start.lock"):
        if running.exists():
            found: RayCluster = pickle.loads(running.read_bytes())
        else:
            # GPUs by name only: the engines find none, and run on the CPU.
            found = RayCluster(gpus=2, kind="T4")
            try:
                found.start_head()
            except BaseException:
                found.close()
                raise
            running.write_bytes(pickle.dumps(found))
        users.write_text(str(1 + int(users.read_text("utf-8") if users.exists() else 0)), "utf-8")
    try:
        yield found
    finally:
        with FileLock(shared / "ray-start.lock"):
            left = int(users.read_text("utf-8")) - 1
            users.write_text(str(left), "utf-8")
            if left == 0:
                running.unlink()
                found.close()


@pytest.fixture(autouse=True)
def one_at_a_time(request: pytest.FixtureRequest, shared: Path) -> Iterator[None]:
    """A test that kills workers kills no other test's; one without the cluster does not wait."""
    if "cluster" not in request.fixturenames:
        yield
        return
    with FileLock(shared / "ray-test.lock"):
        yield


@pytest.fixture(autouse=True)
def much_patience(monkeypatch) -> None:
    """The first run waits for a worker, and for PyTorch in it: a minute on a busy machine."""
    monkeypatch.setattr(provider_contracts, "PATIENCE_S", PATIENCE_S)


@pytest.fixture(scope="session")
def options(cluster: RayCluster) -> RayOptions:
    """The settings of a caller on this machine."""
    return RayOptions(address=cluster.address, token=cluster.token)


@pytest.fixture(scope="session")
def connection(options: RayOptions) -> Iterator[ClusterConnection]:
    """One connection for many tests: a driver takes seconds to start."""
    made = ClusterConnection(options)
    yield made
    made.close()


@pytest.fixture
def provider(options, connection, tmp_path: Path) -> RayProvider:
    """A provider, as a process of its own would have it."""
    return RayProvider(options, tmp_path / "spool", connection=connection)


@pytest.fixture
def new_tm(
    cluster: RayCluster, connection: ClusterConnection, tmp_path: Path
) -> Iterator[Callable[[], TioMagic]]:
    """Make a ``tm`` as another process with the same job store would.

    Args of the function: ``own_driver`` for one with a driver of its own, and settings.
    """
    owners: list[TioMagic] = []

    def make(*, own_driver: bool = False, **settings: object) -> TioMagic:
        given = {"address": cluster.address, "ray_token": cluster.token, **settings}
        tm = TioMagic(working_dir=tmp_path, provider="ray", **given)
        if own_driver or CONNECTED_BY & settings.keys():
            owners.append(tm)
        else:
            tm.session.provider("ray").provider._connection = connection
        return tm

    yield make
    for tm in owners:
        tm.session.provider("ray").provider.unload()


@pytest.fixture
def request_for(tmp_path: Path) -> Callable[..., Request]:
    """Prepare a request of text to video with doodle."""
    media = FakeMediaReader(tmp_path / "inputs", size=(64, 64))
    preparation = Preparation(media, FakeClock(), joiner=FakeVideoJoiner())
    feature = Feature.TEXT_TO_VIDEO

    def prepare(**arguments: object) -> Request:
        given = {"prompt": "a red circle moves right", **arguments}
        return preparation.prepare(feature, find_model("doodle", feature), "ray", given)

    return prepare


@pytest.fixture
def new_request(request_for) -> Callable[[], Request]:
    """Prepare a request that takes a moment."""
    return lambda: request_for(num_inference_steps=1, guidance_scale=1.0)


@pytest.fixture
def long_request(request_for) -> Callable[[], Request]:
    """Prepare a request whose run does not end by itself."""
    return lambda: request_for(num_inference_steps=100)


@pytest.fixture
def cut_off(cluster, connection) -> Callable[[], AbstractContextManager[None]]:
    """A context in which the cluster does not answer."""

    @contextmanager
    def away() -> Iterator[None]:
        stopped = cluster.find("ray::Coordinator")
        assert stopped, "there is one as soon as there is a job"
        usual, connection._request_s = connection._request_s, SOON_S
        for process in stopped:
            process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            for process in stopped:
                process.send_signal(signal.SIGCONT)
            connection._request_s = usual

    return away
