"""The fakes keep the contracts that they stand in for."""

import pytest

from tiomagic_domain.testing import (
    CostKeepingContract,
    DeviceLocksContract,
    FakeClock,
    FakeDeviceLocks,
    FakeProcesses,
    JobRepositoryContract,
    LeasesContract,
    MemoryJobRepository,
    MemoryLeases,
)
from tiomagic_domain.testing.outputs import FakeOutputStore, OutputStoreContract


class TestMemoryJobRepository(JobRepositoryContract):
    @pytest.fixture
    def repository(self) -> MemoryJobRepository:
        return MemoryJobRepository()


class TestMemoryCosts(CostKeepingContract):
    @pytest.fixture
    def repository(self) -> MemoryJobRepository:
        return MemoryJobRepository()


class TestMemoryLeases(LeasesContract):
    @pytest.fixture
    def leases(self) -> MemoryLeases:
        return MemoryLeases()


class TestFakeDeviceLocks(DeviceLocksContract):
    @pytest.fixture
    def locks(self) -> FakeDeviceLocks:
        return FakeDeviceLocks(FakeProcesses(FakeClock()))


class TestFakeOutputStore(OutputStoreContract):
    @pytest.fixture
    def store(self, tmp_path) -> FakeOutputStore:
        return FakeOutputStore(tmp_path / "videos")
