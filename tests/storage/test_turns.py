"""Runs in their callers' processes take turns on one device, over real databases."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.testing import (
    FakeClock,
    FakeDeviceLocks,
    FakeLauncher,
    FakeMediaReader,
    FakeOutputStore,
    FakeProcesses,
    FakeProvider,
)
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.workers import Background
from tiomagic_storage import SqlJobRepository, open_repository

SLOT = "local:here:cpu"
TIMEOUT_S = 120


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def repository(
    request: pytest.FixtureRequest,
) -> Iterator[SqlJobRepository]:
    """Give a repository over each database."""
    repository = open_repository(request.getfixturevalue(request.param))
    yield repository
    repository.close()


class Callers:
    """Processes of one machine that share a database and a device."""

    def __init__(self, repository: SqlJobRepository, folder: Path) -> None:
        self.repository = repository
        self.clock = FakeClock()
        self.alive: set[str] = set()
        self.device_locks = FakeDeviceLocks(FakeProcesses(self.clock, alive=self.alive))
        self.folder = folder
        self.at_once = 0
        self.most = 0

    def background(self, name: str) -> Background:
        """Return the parts of a process."""
        return Background(
            leases=self.repository.leases,
            device_locks=self.device_locks,
            processes=FakeProcesses(self.clock, name, self.alive),
            launcher=FakeLauncher(),
            clock=self.clock,
            slot=lambda _provider: SLOT,
        )

    def run(self, name: str) -> None:
        """Be a process that makes a video itself."""
        provider = FakeProvider(self.folder / name, name="local", blocking=True)
        provider.during = self._step
        generation = Generation(
            providers={"local": provider},
            repository=self.repository,
            outputs=FakeOutputStore(self.folder / "videos"),
            media=FakeMediaReader(self.folder / "inputs"),
            clock=self.clock,
            background=self.background(name),
        )
        generation.submit(
            Feature.TEXT_TO_VIDEO, provider="local", model=None, arguments={"prompt": name}
        )

    def _step(self, _step: int) -> None:
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        threading.Event().wait(0.005)
        self.at_once -= 1


def test_never_two_at_once(repository: SqlJobRepository, tmp_path: Path) -> None:
    """Six come together, one has died with the device in its hand: they run one by one."""
    callers = Callers(repository, tmp_path)
    assert callers.device_locks.device(SLOT, "local:here:dead").acquire()
    threads = [threading.Thread(target=callers.run, args=(f"p{n}",), daemon=True) for n in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
        assert not thread.is_alive()
    done = repository.list(JobQuery(status=frozenset({JobStatus.COMPLETED})))
    assert len(done) == 6
    assert callers.most == 1
    assert repository.leases.all() == []
    assert callers.device_locks.held == {}
