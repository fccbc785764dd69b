"""The SQL stores keep their contracts, on SQLite and on PostgreSQL."""

from collections.abc import Iterator

import pytest

from tiomagic_domain.testing import CostKeepingContract, JobRepositoryContract, LeasesContract
from tiomagic_storage import SqlJobRepository, SqlLeases, open_repository


@pytest.fixture
def postgresql_repository(postgresql_url: str) -> Iterator[SqlJobRepository]:
    """Give a repository over an empty PostgreSQL database."""
    repository = open_repository(postgresql_url)
    yield repository
    repository.close()


class TestSqlite(JobRepositoryContract):
    @pytest.fixture
    def repository(self, sqlite_repository: SqlJobRepository) -> SqlJobRepository:
        return sqlite_repository


class TestPostgresql(JobRepositoryContract):
    @pytest.fixture
    def repository(self, postgresql_repository: SqlJobRepository) -> SqlJobRepository:
        return postgresql_repository


class TestSqliteCosts(CostKeepingContract):
    @pytest.fixture
    def repository(self, sqlite_repository: SqlJobRepository) -> SqlJobRepository:
        return sqlite_repository


class TestPostgresqlCosts(CostKeepingContract):
    @pytest.fixture
    def repository(self, postgresql_repository: SqlJobRepository) -> SqlJobRepository:
        return postgresql_repository


class TestSqliteLeases(LeasesContract):
    @pytest.fixture
    def leases(self, sqlite_repository: SqlJobRepository) -> SqlLeases:
        return sqlite_repository.leases


class TestPostgresqlLeases(LeasesContract):
    @pytest.fixture
    def leases(self, postgresql_repository: SqlJobRepository) -> SqlLeases:
        return postgresql_repository.leases
