"""Makes SQLAlchemy engines that are set for keeping jobs."""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from tiomagic_domain.errors import ConfigurationError, MissingDependencyError
from tiomagic_storage._errors import BUSY_TIMEOUT_S, translated

OLDEST_SQLITE = (3, 35, 0)
"""The first one that both searches by trigrams and returns what it updated."""

BUSY_ROUND_S = 0.05
"""How long SQLite itself waits for the writers before it. It looks ever more rarely, every 0.1 s in
the end, so that of many writers the late ones pass those who wait: 16 busy processes kept one out
for more than `BUSY_TIMEOUT_S`. Begun anew after this time, all have the same chance."""

EXAMPLES = "sqlite:///.tiomagic/jobs.db or postgresql://user:password@host/database"


class Database:
    """Connections to one database. Safe to share between threads, and to go on with after a fork.

    Args:
        engine: Where connections come from.
        place: Path of the file, or the URL without its password; for people.
    """

    def __init__(self, engine: Engine, place: str) -> None:
        self.engine = engine
        self.place = place
        self._process = os.getpid()
        self._inherited: list[object] = []

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection of this process, and let no vendor's exception out."""
        if os.getpid() != self._process:
            # Connections must not be used on both sides of a fork, nor closed on the child's: the
            # pool is put aside unclosed and unused for as long as the database is in use.
            self._inherited.append(self.engine.pool)
            self.engine.dispose(close=False)
            self._process = os.getpid()
        with translated(self.place), self.engine.connect() as connection:
            yield connection

    def close(self) -> None:
        """Close all connections. Harmless when repeated; a later use opens new ones."""
        self.engine.dispose()


def build_database(url: str) -> Database:
    """Return an engine for a URL. Nothing is opened yet; missing folders are made.

    Every statement is its own transaction: the repository writes with single statements, which
    take the write lock at once and leave no transaction open behind an error.

    Raises:
        ConfigurationError: when the URL is of no use.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The URL itself stays out of the text: it may hold a password.
        raise ConfigurationError(
            f"the database URL is not one; it should look like {EXAMPLES}", code="database_url"
        ) from error
    match parsed.get_backend_name():
        case "sqlite":
            return _sqlite(parsed)
        case "postgresql" | "postgres":
            return _postgresql(parsed)
    raise ConfigurationError(
        f"jobs cannot be kept in {parsed.get_backend_name()!r}; use {EXAMPLES}", code="database_url"
    )


def _sqlite(url: URL) -> Database:
    name = url.database or ""
    if name in {"", ":memory:"} or name.startswith("file:"):
        raise ConfigurationError(
            "jobs are kept in a file that several processes share; the database URL should look "
            f"like {EXAMPLES}",
            code="database_url",
        )
    # Absolute from the start: a later change of the working directory must not change the file.
    path = Path(name).expanduser().absolute()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {path.parent} for the database cannot be made ({error.strerror}); set "
            "TIOMAGIC_DATABASE_URL to another place",
            details={"database": str(path)},
            code="database_unwritable",
        ) from error
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        oldest = ".".join(map(str, OLDEST_SQLITE))
        raise ConfigurationError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and jobs are kept with {oldest} or "
            "newer: use a newer Python, or PostgreSQL",
            details={"found": sqlite3.sqlite_version, "oldest": oldest},
            code="database_version",
        )
    engine = create_engine(
        url.set(drivername="sqlite+pysqlite", database=str(path)),
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": BUSY_ROUND_S},
    )
    event.listen(engine, "connect", _make_durable)
    event.listen(engine, "do_execute", _execute_in_turn)
    return Database(engine, str(path))


def _make_durable(connection: Any, _record: object) -> None:
    # FULL, although NORMAL is enough to keep a WAL file whole: with NORMAL a power cut may take
    # back the last commits, and a job that was sent to a rented GPU must not be forgotten. The
    # price is one fsync a write.
    connection.execute("PRAGMA synchronous = FULL")


def _execute_in_turn(cursor: Any, statement: str, parameters: Any, _context: object) -> bool:
    """Execute a statement, and wait for the other writers in rounds; see `BUSY_ROUND_S`."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute(statement, parameters)
        except sqlite3.OperationalError as error:
            code = getattr(error, "sqlite_errorcode", 0)
            if code & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > until:
                raise
            # SQLite answers at once where waiting would not help, as when two make a file WAL.
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - apart, not secret
        else:
            return True


def _postgresql(url: URL) -> Database:
    place = url.render_as_string(hide_password=True)
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            # A server may have closed an idle connection; asking costs less than a failed write.
            pool_pre_ping=True,
        )
    except ImportError as error:
        raise MissingDependencyError(
            f"the database {place} needs the package psycopg: pip install 'psycopg[binary]>=3.3'",
            details={"package": "psycopg"},
        ) from error
    return Database(engine, place)
