"""Makes SQLAlchemy engines that are set for keeping jobs."""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, MissingDependencyError, ProcessingError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.redaction import redact
from tiomagic_storage.database.busy_timeout import SQLITE_WAIT_S, RetryingConnection
from tiomagic_storage.database.errors import translate_database_errors
from tiomagic_storage.database.sqlite_location import EXAMPLE_URLS, create_private_file, path_of_url

MIN_SQLITE_VERSION = (3, 35, 0)
"""The first one that both searches by trigrams and returns what it updated."""


class Database:
    """Connections to one database. Safe to share between threads, and to go on with after a fork.

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
        """Note which file has been opened, so that it is noticed when another takes its place.

        Args:
            prepare: Sees to the tables of the file that is there the next time.
        """
        self._prepare = None if self.file is None else prepare
        self._identity = self._read_file_identity()

    @contextmanager
    def connection(self) -> Iterator[Connection]:
        """Give a connection of this process, and let no vendor's exception out."""
        if os.getpid() != self._process:
            # Connections must not be used on both sides of a fork, nor closed on the child's: the
            # pool is put aside unclosed and unused for as long as the database is in use.
            self._inherited_pools.append(self.engine.pool)
            self.engine.dispose(close=False)
            self._process = os.getpid()
        self._check_file_identity()
        with translate_database_errors(self.location), self.engine.connect() as connection:
            yield connection

    def _check_file_identity(self) -> None:
        """See that the connections lead to the file that has the name.

        A file that was removed or replaced lives on for those who have it open, and what they write
        is lost.

        Raises:
            ProcessingError: once. The next use opens what is there then, or makes it anew.
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
        """Return what tells the file that has the name from every other one."""
        if self.file is None:
            return None
        try:
            found = self.file.stat()
        except OSError:
            return (0, 0)  # No file has it.
        return found.st_dev, found.st_ino

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
    file = path_of_url(url)
    if file is not None:
        return _build_sqlite(file)
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        # The URL itself stays out of the text: it may hold a password.
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
        # The path as it is: in the text of a URL some of its characters would mean something.
        URL.create("sqlite+pysqlite", database=str(path)),
        isolation_level="AUTOCOMMIT",
        connect_args={"timeout": SQLITE_WAIT_S, "factory": RetryingConnection},
    )
    event.listen(engine, "do_connect", lambda *_: create_private_file(path))
    event.listen(engine, "connect", _make_durable)
    return Database(engine, str(path), path)


def _make_durable(connection: Any, _record: object) -> None:
    # FULL, although NORMAL is enough to keep a WAL file whole: with NORMAL a power cut may take
    # back the last commits, and a job that was sent to a rented GPU must not be forgotten. The
    # price is one fsync a write.
    connection.execute("PRAGMA synchronous = FULL")


def _build_postgresql(url: URL) -> Database:
    # The drivers take a password behind the question mark as well.
    place = redact(url.render_as_string(hide_password=True))
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
