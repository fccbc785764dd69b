"""The schema: one truth in two forms, and databases of other versions."""

import shutil
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository, schema
from tiomagic_storage.engine import build_database
from tiomagic_storage.tables import VERSION_TABLE, jobs, metadata

NEXT = '''
"""A revision of a later version."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0003", "0002"
def upgrade():
    op.add_column("tiomagic_jobs", sa.Column("extra", sa.Text))
'''
BROKEN = NEXT + '    raise OSError("the lights went out")\n'


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def database(request):
    """An empty database that is not opened yet."""
    database = build_database(request.getfixturevalue(request.param))
    yield database
    database.engine.dispose()


@pytest.fixture
def later_migrations(tmp_path: Path) -> Path:
    """The migrations of a version after this one."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "v0003_extra.py").write_text(NEXT)
    return folder


def migrate(database, migrations=schema.MIGRATIONS):
    with database.engine.connect() as connection, schema._alone(connection):
        schema.upgrade(connection, database.place, migrations)


def described(database):
    """Return all that a database knows of its tables."""
    found = inspect(database.engine)
    return {
        name: (
            [(c["name"], str(c["type"]), c["nullable"]) for c in found.get_columns(name)],
            found.get_pk_constraint(name)["constrained_columns"],
            sorted((i["name"], tuple(i["column_names"])) for i in found.get_indexes(name)),
        )
        for name in found.get_table_names()
    }


def test_the_newest_revision_is_the_one_in_the_code():
    """Who adds a migration must also say that it is the head, or it never runs."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_heads() == [schema.HEAD]


def test_the_migrations_lead_to_the_tables(database):
    """A database that went through every migration is the one that a fresh one is."""
    migrate(database)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    migrated = described(database)
    with database.engine.connect() as connection:
        for name in migrated:
            connection.execute(text(f"DROP TABLE {name}"))
    schema.ensure_current(database)
    assert described(database) == migrated


def test_a_database_that_is_behind_is_moved(database):
    """A database from before the first revision is brought up to date, and then used."""
    with database.engine.connect() as connection:
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
    schema.ensure_current(database)
    with database.engine.connect() as connection:
        assert schema._revision(connection) == schema.HEAD
        assert connection.execute(jobs.select()).all() == []


def test_a_newer_database_is_refused(sqlite_url, later_migrations):
    """A database of a later version is left alone, and the error says which version it wants."""
    repository = open_repository(sqlite_url)
    repository.add(make_job(job_id="kept"))
    migrate(repository._database, later_migrations)
    assert repository.get("kept").job_id == "kept"
    repository.close()
    with pytest.raises(ConfigurationError, match=r"'0003'.*newer version") as caught:
        open_repository(sqlite_url)
    assert caught.value.code == "database_newer"


def test_a_migration_happens_whole_or_not_at_all(database, later_migrations):
    """A migration that breaks in the middle leaves the schema as it was."""
    schema.ensure_current(database)
    before = described(database)
    (later_migrations / "versions" / "v0003_extra.py").write_text(BROKEN)
    with pytest.raises(OSError, match="the lights went out"):
        migrate(database, later_migrations)
    assert described(database) == before
    schema.ensure_current(database)


def test_tables_of_somebody_else_are_refused(database):
    """A table of our name that is not ours is an error, and it is not touched."""
    with database.engine.connect() as connection:
        connection.execute(text("CREATE TABLE tiomagic_jobs (other INTEGER)"))
    with pytest.raises(ConfigurationError, match="tiomagic_jobs"):
        schema.ensure_current(database)
    assert list(described(database)) == ["tiomagic_jobs"]


def test_a_row_from_another_time_is_an_error(sqlite_repository):
    """A status word that this version does not know is an error that names the job."""
    sqlite_repository.add(make_job(job_id="odd"))
    with sqlite_repository._database.connection() as connection:
        connection.execute(jobs.update().values(status="pondering"))
    with pytest.raises(ProcessingError, match=r"'odd'.*pondering"):
        sqlite_repository.get("odd")
