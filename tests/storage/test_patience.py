"""Waiting for others at the database: every statement does, and the texts say for how long."""

import re
import sqlite3
import time
from contextlib import closing, contextmanager
from types import SimpleNamespace

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database import busy_timeout
from tiomagic_storage.database.health import inspect_database


@contextmanager
def lock_exclusively(path):
    """Give a connection that lets nobody else so much as read a database."""
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("PRAGMA locking_mode = EXCLUSIVE")
        holder.execute("BEGIN EXCLUSIVE")
        yield holder


@pytest.fixture
def path(tmp_path):
    """A database with a job in it, which no process has open."""
    repository = open_repository(f"sqlite:///{tmp_path}/jobs.db")
    repository.add(make_job(job_id="there"))
    repository.close()
    return tmp_path / "jobs.db"


def open_and_get(url):
    repository = open_repository(url)
    try:
        return repository.get("there").job_id
    finally:
        repository.close()


@pytest.mark.parametrize("look", [open_and_get, lambda url: inspect_database(url).jobs])
def test_the_set_up_of_a_connection_waits_its_turn(path, monkeypatch, look):
    """Whoever finds the database held at its first statement goes on when it is free."""
    with lock_exclusively(path) as holder:
        waits = []

        def let_go(seconds):
            waits.append(seconds)
            holder.close()

        clock = SimpleNamespace(monotonic=time.monotonic, sleep=let_go)
        monkeypatch.setattr(busy_timeout, "time", clock)
        assert look(f"sqlite:///{path}") in {"there", 1}
        assert waits, "nothing was held: the test tries nothing"


@pytest.mark.parametrize("limit", [0.0, 0.3])
def test_a_text_tells_the_time_that_was_waited(path, monkeypatch, limit):
    """The seconds in the error are those that have passed, in the set-up as well as later."""
    monkeypatch.setattr(busy_timeout, "BUSY_TIMEOUT_S", limit)
    with lock_exclusively(path):
        begun = time.monotonic()
        with pytest.raises(ProcessingError, match="locked by another process") as caught:
            open_repository(f"sqlite:///{path}")
        passed = time.monotonic() - begun
    told = float(re.search(r"for ([\d.]+) s", caught.value.message)[1])
    assert limit - 0.06 <= told <= passed + 0.06
    assert (caught.value.code, caught.value.retryable) == ("database_busy", True)


def test_many_rows_at_once_wait_too(path):
    """A statement for many rows is no way around the patience."""
    with closing(sqlite3.connect(path, factory=busy_timeout.RetryingConnection)) as connection:
        assert isinstance(connection.cursor(), busy_timeout.RetryingCursor)
        assert isinstance(connection.execute("SELECT 1"), busy_timeout.RetryingCursor)
        connection.execute("CREATE TEMPORARY TABLE numbers (n INTEGER)")
        rows = connection.executemany("INSERT INTO numbers VALUES (?)", [(1,), (2,)])
        assert isinstance(rows, busy_timeout.RetryingCursor)
        assert connection.execute("SELECT sum(n) FROM numbers").fetchone() == (3,)
