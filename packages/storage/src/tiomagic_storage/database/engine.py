"""Makes the SQLAlchemy engines for SQLite and PostgreSQL, and notices a replaced database file."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, InvalidatePoolError

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, MissingDependencyError, ProcessingError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.redaction import redact
from tiomagic_storage.database.busy_timeout import SQLITE_WAIT_S, RetryingConnection
from tiomagic_storage.database.errors import translate_database_errors
from tiomagic_storage.database.sqlite_location import EXAMPLE_URLS, create_private_file, path_of_url

MIN_SQLITE_VERSION = (3, 35, 0)
"""The first version with both the trigram tokenizer and ``RETURNING``."""

POOL_SIZE = 8
"""Connections to a server that a process keeps."""
MAX_CONNECTIONS = 15
"""Most connections to a server of one process."""
IDLE_S = 1.0
"""After so many seconds without use a connection may have been closed by the server."""
LAST_USE = "last_use"


class Database:
    """Connections to one database. Thread-safe, and usable after a fork.

    Args:
        engine: Where connections come from.
        place: Path of the file, or the URL without its password; for people.
        file: The file of a SQLite database; None for a server.
    """

    def __init__(self, engine: Engine, place: str, file: Path | None = None) -> None:
        self.engine = engine
        self.location = place
        self.file = file
        self._process = os.getpid()
        self._inherited_pools: list[object] = []
        self._identity: tuple[int, int] | None = None
        self._prepare: Callable[[Database], None] | None = None
        self._preparing = threading.RLock()

    def watch_file(self, prepare: Callable[[Database], None]) -> None:
        """Remember which file was opened, so that a replaced file is noticed.

        Args:
            prepare: Creates or updates the tables of a new file at the next use.
        """
        self._prepare = None if self.file is None else prepare
        self._identity = self._read_file_identity()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Yield a connection of this process; the vendor's exceptions are translated."""
        if os.getpid() != self._process:
            # Connections must not be used on both sides of a fork, nor closed in the child: the old
            # pool is kept, unused and open, as long as the database is in use.
            self._inherited_pools.append(self.engine.pool)
            self.engine.dispose(close=False)
            self._process = os.getpid()
        self._check_file_identity()
        with translate_database_errors(self.location), self.engine.connect() as connection:
            yield connection

    def _check_file_identity(self) -> None:
        """Check that the connections lead to the file that now has the name.

        A removed or replaced file stays open for the processes that have it, and their writes are
        lost.

        Raises:
            ProcessingError: once. The next use opens the file that is there then, or makes a new
                one.
        """
        if self._prepare is None or self._identity == self._read_file_identity():
            return
        with self._preparing:
            found = self._read_file_identity()
            if self._identity is None:
                self._prepare(self)
                self._identity = self._read_file_identity()
            elif self._identity != found:
                self._identity = None
                self.engine.dispose()
                raise ProcessingError(
                    f"the database {self.location} was removed, renamed or replaced while it was "
                    "open. Jobs that were stored meanwhile are where the old file is; put it back, "
                    "or go on: the next call opens what is there then, or makes a new one",
                    details={"database": self.location},
                    code=ErrorCode.DATABASE_REPLACED,
                )

    def _read_file_identity(self) -> tuple[int, int] | None:
        """Return an identity of the file that has the name."""
        if self.file is None:
            return None
        try:
            found = self.file.stat()
        except OSError:
            return (0, 0)  # There is no file of that name.
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Close all connections. Idempotent; a later use opens new ones."""
        self.engine.dispose()


def build_database(url: str) -> Database:
    """Return an engine for a URL. Nothing is opened yet; missing folders are made.

    Every statement is its own transaction (autocommit): the repository writes with single
    statements, which take the write lock at once and leave no transaction open after an error.

    Raises:
        ConfigurationError: when the URL cannot be used.
    """
    file = path_of_url(url)
    if file is not None:
        return _build_sqlite(file)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The URL is not in the text: it may contain a password.
        raise ConfigurationError(
            f"the database URL is not one; it should look like {EXAMPLE_URLS}",
            code=ErrorCode.DATABASE_URL,
        ) from error
    if parsed.get_backend_name() in {"postgresql", "postgres"}:
        return _build_postgresql(parsed)
    raise ConfigurationError(
        f"jobs cannot be kept in {parsed.get_backend_name()!r}; use {EXAMPLE_URLS}",
        code=ErrorCode.DATABASE_URL,
    )


def _build_sqlite(path: Path) -> Database:
    try:
        make_private(path.parent)
    except OSError as error:
        raise ConfigurationError(
            f"the folder {path.parent} for the database cannot be made ({error.strerror}); set "
            "TIOMAGIC_DATABASE_URL to another place",
            details={"database": str(path)},
            code=ErrorCode.DATABASE_UNWRITABLE,
        ) from error
    if sqlite3.sqlite_version_info < MIN_SQLITE_VERSION:
        oldest = ".".join(map(str, MIN_SQLITE_VERSION))
        raise ConfigurationError(
            f"this Python has SQLite {sqlite3.sqlite_version}, and jobs are kept with {oldest} or "
            "newer: use a newer Python, or PostgreSQL",
            details={"found": sqlite3.sqlite_version, "oldest": oldest},
            code=ErrorCode.DATABASE_VERSION,
        )
    engine = create_engine(
        # The plain path: some of its characters have a meaning within a URL.
        URL.create("sqlite+pysqlite", database=str(path)),
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": SQLITE_WAIT_S, "factory": RetryingConnection},
    )
    event.listen(engine, "do_connect", lambda *_: create_private_file(path))
    event.listen(engine, "connect", _make_durable)
    return Database(engine, str(path), path)


def _make_durable(connection: Any, _record: object) -> None:
    # FULL, although NORMAL keeps a WAL file consistent: with NORMAL a power cut may undo the last
    # commits, and a job that was sent to a rented GPU must not be lost. FULL costs one fsync a
    # write.
    connection.execute("PRAGMA synchronous = FULL")


def _build_postgresql(url: URL) -> Database:
    # The drivers also take a password in the query of the URL.
    place = redact(url.render_as_string(hide_password=True))
    try:
        engine = create_engine(
            url.set(drivername="postgresql+psycopg"),
            isolation_level="AUTOCOMMIT",
            pool_size=POOL_SIZE,
            max_overflow=MAX_CONNECTIONS - POOL_SIZE,
        )
    except ImportError as error:
        raise MissingDependencyError(
            f"the database {place} needs the package psycopg: pip install 'psycopg[binary]>=3.3'",
            details={"package": "psycopg"},
        ) from error
    event.listen(engine, "checkin", _note_use)
    event.listen(engine, "checkout", _check_idle)
    return Database(engine, place)


def _note_use(_connection: object, record: Any) -> None:
    record.info[LAST_USE] = time.monotonic()


def _check_idle(connection: Any, record: Any, _proxy: object) -> None:
    """Ping a connection that was idle: the server may have closed it meanwhile.

    A ping costs less than a failed write, but as much as a read: with each use it would double the
    work of a busy server.

    Raises:
        InvalidatePoolError: the pool opens new ones.
    """
    last = record.info.get(LAST_USE)
    if last is None or time.monotonic() - last < IDLE_S:
        return
    try:
        connection.execute("SELECT 1")
    except Exception as error:
        raise InvalidatePoolError from error
