"""The fakes keep the contracts that they stand in for."""

import pytest

from tiomagic_domain.testing.outputs import FakeOutputStore, OutputStoreContract
from tiomagic_domain.testing.repository import JobRepositoryContract, MemoryJobRepository


class TestMemoryJobRepository(JobRepositoryContract):
    @pytest.fixture
    def repository(self) -> MemoryJobRepository:
        return MemoryJobRepository()


class TestFakeOutputStore(OutputStoreContract):
    @pytest.fixture
    def store(self, tmp_path) -> FakeOutputStore:
        return FakeOutputStore(tmp_path / "videos")
