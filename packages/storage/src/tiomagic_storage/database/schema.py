"""Creates or migrates a database's tables to the schema that this version needs.

A fresh database gets its tables straight from ``tables.py`` and the newest revision's name; an
older one is migrated by Alembic, which is imported only then. A test checks that both ways give the
same schema.
"""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import Connection, inspect, text

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_storage.database import search_index
from tiomagic_storage.database.engine import Database
from tiomagic_storage.database.errors import translate_database_errors
from tiomagic_storage.database.exclusive import hold_exclusively
from tiomagic_storage.database.spending import create_spending_triggers
from tiomagic_storage.database.tables import VERSION_TABLE, metadata

NEWEST_REVISION = "0007"
"""The newest revision. A test compares it with the files of ``migrations/versions``."""

MIGRATIONS = Path(__file__).parents[1] / "migrations"

# An arbitrary number that other applications in the same database are unlikely to use.
_ADVISORY_LOCK = 0x7710_3A61


def ensure_current(database: Database) -> None:
    """Create or update the tables where needed. Many processes may call it at once.

    Raises:
        ConfigurationError: when the database is newer than this version, or not usable.
        ProcessingError: when another process holds it for too long.
    """
    with (
        translate_database_errors(database.location, opening=True),
        database.engine.connect() as connection,
    ):
        if connection.dialect.name == "sqlite":
            _use_wal(connection)
        if _read_revision(connection) == NEWEST_REVISION:
            return
        with hold_exclusively(connection, _ADVISORY_LOCK):
            # Another process may have migrated it while this one waited for the lock.
            found = _read_revision(connection)
            if found is None:
                _create_tables(connection)
            elif found != NEWEST_REVISION:
                upgrade(connection, database.location)


def upgrade(
    connection: Connection, place: str, migrations: Path = MIGRATIONS, revision: str = "head"
) -> None:
    """Run the migrations that a database lacks, in the transaction that is open.

    Args:
        connection: To the database.
        place: The database's name for people.
        migrations: Folder of the migrations.
        revision: How far to go.

    Raises:
        ConfigurationError: when the database has a revision that is not among the migrations.
    """
    # Importing Alembic takes longer than opening a database that is current.
    from alembic import command  # noqa: PLC0415
    from alembic.config import Config  # noqa: PLC0415
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(migrations).replace("%", "%%"))
    config.attributes["connection"] = connection
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    found = _read_revision(connection)
    if found and found not in known:
        raise ConfigurationError(
            f"the database {place} has the schema {found!r}, which this version of tiomagic does "
            f"not know (its own is {NEWEST_REVISION!r}): a newer version has been "
            f"here. Install that one, or "
            "name another place in TIOMAGIC_DATABASE_URL",
            details={"database": place, "found": found, "known": NEWEST_REVISION},
            code=ErrorCode.DATABASE_NEWER,
        )
    command.upgrade(config, revision)


def _use_wal(connection: Connection) -> None:
    """Switch to WAL, so that readers and the writer do not wait for each other. Stored in the file.

    Two processes that switch a fresh file at the same time would deadlock, so SQLite answers "busy"
    to one of them at once, whatever its timeout: the engine retries.
    """
    connection.exec_driver_sql("PRAGMA journal_mode = WAL")


def _read_revision(connection: Connection) -> str | None:
    """Return the stored revision; "" before the first migration, None for a fresh database."""
    if not inspect(connection).has_table(VERSION_TABLE):
        return None
    found = connection.scalar(text(f"SELECT version_num FROM {VERSION_TABLE}"))  # noqa: S608
    return "" if found is None else str(found)


def _create_tables(connection: Connection) -> None:
    metadata.create_all(connection, checkfirst=False)
    search_index.create_search_index(connection)
    create_spending_triggers(connection)
    # Alembic's own table, created as Alembic does, so that Alembic need not be imported.
    connection.execute(
        text(
            f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL, "
            f"CONSTRAINT {VERSION_TABLE}_pkc PRIMARY KEY (version_num))"
        )
    )
    connection.execute(
        text(f"INSERT INTO {VERSION_TABLE} (version_num) VALUES (:head)"),  # noqa: S608
        {"head": NEWEST_REVISION},
    )
