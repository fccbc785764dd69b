"""Checks a database without changing it, for ``tiomagic doctor``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection, func, inspect, select, text

from tiomagic_storage.database.engine import build_database
from tiomagic_storage.database.errors import translate_database_errors
from tiomagic_storage.database.schema import NEWEST_REVISION
from tiomagic_storage.database.sqlite_location import path_of_url
from tiomagic_storage.database.tables import VERSION_TABLE, jobs


@dataclass(frozen=True, slots=True, kw_only=True)
class DatabaseHealth:
    """The facts of a checked database."""

    location: str
    """Path of the file, or the URL without its password."""
    exists: bool
    """False for a SQLite file that is made at its first use."""
    revision: str | None = None
    """Of the schema; None when there are no tables yet."""
    newest_revision: str = NEWEST_REVISION
    """The revision that this version of tiomagic works with."""
    jobs: int = 0
    """Stored jobs; counted only when the schema is the newest."""
    damage: str | None = None
    """The first problem that SQLite's own check reports; None when there is none."""


def has_database(url: str) -> bool:
    """Return whether there is a database at a URL; opens none, so the answer is quick.

    A server's database counts as there.

    Raises:
        ConfigurationError: when there can be none at the URL.
    """
    return _find_absent_file(url) is None


def inspect_database(url: str) -> DatabaseHealth:
    """Return the state of the database at a URL, without creating or changing it.

    Raises:
        ConfigurationError: when there is no usable database at the URL.
        ProcessingError: when another process holds it for too long.
    """
    absent = _find_absent_file(url)
    if absent is not None:
        return DatabaseHealth(location=str(absent), exists=False)
    database = build_database(url)
    try:
        with (
            translate_database_errors(database.location, opening=True),
            database.engine.connect() as connection,
        ):
            return _inspect_connection(connection, database.location)
    finally:
        database.engine.dispose()


def _inspect_connection(connection: Connection, place: str) -> DatabaseHealth:
    said: object = "ok"
    if connection.dialect.name == "sqlite":
        # Reads every page, but does not compare the indexes with the tables.
        said = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
    revision: str | None = None
    if inspect(connection).has_table(VERSION_TABLE):
        revision = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    count = (
        connection.scalar(select(func.count()).select_from(jobs))
        if revision == NEWEST_REVISION
        else 0
    )
    return DatabaseHealth(
        location=place,
        exists=True,
        revision=revision,
        jobs=int(count or 0),
        damage=None if said == "ok" else str(said),
    )


def _find_absent_file(url: str) -> Path | None:
    """Return the SQLite file of a URL if it does not exist; None for everything else."""
    path = path_of_url(url)
    return None if path is None or path.exists() else path
