"""Databases and folders for the tests of storage."""

import os
import resource
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.storage.postgresql import REQUIRED, create_database, find_binaries, run_server

from tiomagic_storage import SqlJobRepository, open_repository


@pytest.fixture
def sqlite_url(tmp_path: Path) -> str:
    """URL of a SQLite file that is not there yet."""
    return f"sqlite:///{tmp_path}/state/jobs.db"


@pytest.fixture
def sqlite_repository(sqlite_url: str) -> Iterator[SqlJobRepository]:
    """Give a repository over a fresh SQLite file."""
    repository = open_repository(sqlite_url)
    yield repository
    repository.close()


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[str]:
    """Give the URL of a real PostgreSQL on loopback."""
    binaries = find_binaries()
    if binaries is None:
        if os.environ.get(REQUIRED) == "required" or os.environ.get("CI"):
            pytest.fail("PostgreSQL is not installed, and this run must not go without it")
        pytest.skip("PostgreSQL is not installed: install the package postgresql to run this")
    with run_server(binaries) as server:
        yield server


@pytest.fixture
def postgresql_url(postgresql_server: str) -> Iterator[str]:
    """URL of an empty PostgreSQL database."""
    with create_database(postgresql_server) as url:
        yield url


@pytest.fixture
def guarded_folder() -> Iterator[Path]:
    """Give a folder whose permissions bind this process, even when it started as root."""
    folder = Path(tempfile.mkdtemp(prefix="tiomagic-guarded-"))
    uid = os.geteuid()
    if uid == 0:
        os.chown(folder, 65534, 65534)
        os.seteuid(65534)
    try:
        yield folder
    finally:
        folder.chmod(0o700)
        os.seteuid(uid)
        shutil.rmtree(folder)


@pytest.fixture
def file_size_limit() -> Callable[[int], AbstractContextManager[None]]:
    """Give a context manager in which no file can grow beyond so many bytes."""

    @contextmanager
    def limited(size: int) -> Iterator[None]:
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
        try:
            yield
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))

    return limited
