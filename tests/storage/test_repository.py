"""The SQL job repository keeps the contract, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from tiomagic_domain.testing.repository import JobRepositoryContract
from tiomagic_storage import SqlJobRepository, open_repository


class TestSqlite(JobRepositoryContract):
    @pytest.fixture
    def repository(self, sqlite_repository: SqlJobRepository) -> SqlJobRepository:
        return sqlite_repository


class TestPostgresql(JobRepositoryContract):
    @pytest.fixture
    def repository(self, postgresql_url: str) -> Iterator[SqlJobRepository]:
        repository = open_repository(postgresql_url)
        yield repository
        repository.close()
