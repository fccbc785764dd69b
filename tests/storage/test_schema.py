"""The schema: one truth in two forms, and databases of other versions."""

import re
import shutil
import sqlite3
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text
from tests.storage.postgresql import create_database

from tiomagic_domain.errors import ConfigurationError, ProcessingError
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.sums import CostGroup, CostQuery
from tiomagic_domain.testing.repository import NOON, make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database import schema
from tiomagic_storage.database.engine import build_database
from tiomagic_storage.database.exclusive import hold_exclusively
from tiomagic_storage.database.tables import VERSION_TABLE, jobs, metadata

NEXT = '''
"""A revision of a later version."""
import sqlalchemy as sa
from alembic import op
revision, down_revision = "0008", "0007"
def upgrade():
    op.add_column("tiomagic_jobs", sa.Column("extra", sa.Text))
'''
BROKEN = NEXT + '    raise OSError("the lights went out")\n'


@pytest.fixture(params=["sqlite_url", "postgresql_url"])
def database(request):
    """An empty database that is not opened yet."""
    database = build_database(request.getfixturevalue(request.param))
    yield database
    database.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def two_databases(request, tmp_path):
    """Two empty databases of one kind that are not opened yet."""
    with ExitStack() as stack:
        if request.param == "sqlite":
            urls = [f"sqlite:///{tmp_path}/{number}.db" for number in range(2)]
        else:
            server = request.getfixturevalue("postgresql_server")
            urls = [stack.enter_context(create_database(server)) for _ in range(2)]
        databases = [build_database(url) for url in urls]
        yield databases
        for database in databases:
            database.close()


@pytest.fixture
def later_migrations(tmp_path: Path) -> Path:
    """The migrations of a version after this one."""
    folder = tmp_path / "migrations"
    shutil.copytree(schema.MIGRATIONS, folder, ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "versions" / "v0008_extra.py").write_text(NEXT)
    return folder


def exclusively(connection):
    return hold_exclusively(connection, schema._ADVISORY_LOCK)


def migrate(database, migrations=schema.MIGRATIONS):
    with database.engine.connect() as connection, exclusively(connection):
        schema.upgrade(connection, database.location, migrations)


OTHER_PARTS = {
    "sqlite": (
        "SELECT name, sql FROM sqlite_master"
        " WHERE type = 'trigger' OR name LIKE 'tiomagic_prompts%' ORDER BY name"
    ),
    "postgresql": (
        "SELECT tgname, pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal"
        " UNION ALL SELECT proname, pg_get_functiondef(oid) FROM pg_proc WHERE proname LIKE 'tio%'"
        " UNION ALL SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE '%_prompt'"
        " ORDER BY 1"
    ),
}
"""What SQLAlchemy does not know of: how to list it, by dialect."""


def other_parts(database):
    """Return triggers, functions and search indexes by name."""
    statement = text(OTHER_PARTS[database.engine.dialect.name])
    with database.engine.connect() as connection:
        rows = connection.execute(statement).all()
    return {name: " ".join((sql or "").split()) for name, sql in rows}


def describe_tables(database):
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
    assert ScriptDirectory.from_config(config).get_heads() == [schema.NEWEST_REVISION]


def is_in_metadata(item, name, kind, reflected, compared):
    """Leave out what only the database itself knows of."""
    return not (name or "").startswith(("tiomagic_prompts", "tiomagic_jobs_by_prompt"))


def test_the_migrations_lead_to_the_tables(two_databases):
    """A database that went through every migration is the one that a fresh one is."""
    migrated, fresh = two_databases
    migrate(migrated)
    with migrated.engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "include_object": is_in_metadata}
        context = MigrationContext.configure(connection, opts=options)
        assert compare_metadata(context, metadata) == []
    schema.ensure_current(fresh)
    assert describe_tables(fresh) == describe_tables(migrated)
    assert other_parts(fresh) == other_parts(migrated)
    assert "tiomagic_tags_changed" in other_parts(fresh)
    assert {"tiomagic_jobs_by_prompt", "tiomagic_prompts_text"} & set(other_parts(fresh))


RELEASED = Path(__file__).parent / "released"


def test_every_schema_but_the_newest_is_kept():
    """Who adds a revision leaves a database of the one before for the upgrade to be tried on."""
    config = Config()
    config.set_main_option("script_location", str(schema.MIGRATIONS))
    revisions = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    assert {path.stem for path in RELEASED.glob("*.sql")} == revisions - {schema.NEWEST_REVISION}


def restore(database, dump: Path) -> None:
    """Fill an empty database with what a released version left."""
    if database.engine.dialect.name == "sqlite":
        with closing(sqlite3.connect(database.location)) as connection:
            connection.executescript(dump.read_text())
        return
    # The dump is SQLite's: the tables come from the migrations of that time, the rows from it.
    with database.engine.connect() as connection, exclusively(connection):
        schema.upgrade(connection, database.location, revision=dump.stem)
    rows = re.findall(
        r'^INSERT INTO "tiomagic_jobs" .*?\);$', dump.read_text(), re.MULTILINE | re.DOTALL
    )
    with database.engine.connect() as connection:
        for row in rows:
            # Through the driver alone: a % or : in a row is no placeholder.
            connection.connection.cursor().execute(row)
        assert schema._read_revision(connection) == dump.stem


@pytest.mark.parametrize("dump", sorted(RELEASED.glob("*.sql")), ids=lambda dump: dump.stem)
def test_a_database_of_a_released_version_is_opened(database, dump):
    """Jobs of an older version are all there, are found like new ones, and live on."""
    restore(database, dump)
    repository = open_repository(database.engine.url.render_as_string(hide_password=False))
    found = {job.job_id[-1]: job for job in repository.list(JobQuery())}
    assert {key: job.status.value for key, job in found.items()} == {
        "1": "completed",
        "2": "queued",
        "3": "failed",
        "4": "running",
    }
    done, running = found["1"], found["4"]
    assert (done.result_video, done.version) == ("/videos/doodle-text_to_video.mp4", 3)
    assert (done.facts["seconds"], done.progress.step) == ({"loading": 1.25}, 3)
    assert (done.tags, done.note, done.queue, done.retry, done.attempt) == ((), "", None, 0, 1)
    assert (done.started_at, done.ended_at) == (None, None)
    assert running.call_id == "local:studio:42:2000"
    texts = {"FOX": "14", "owl": "34", "fox owl": "4", "🦊": "2", "läuft 100%": "2", "zebra": ""}
    for words, ids in texts.items():
        listed = repository.list(JobQuery(text=words))
        assert sorted(job.job_id[-1] for job in listed) == list(ids)
    repository.save(done.with_labels(at=NOON, tags=["old"]))
    repository.save(running.to(JobStatus.FAILED, at=NOON, error_code="worker_lost"))
    repository.add(make_job(job_id="new", prompt="another fox"))
    assert [job.job_id[-1] for job in repository.list(JobQuery(tag="old"))] == ["1"]
    repository.delete(found["3"].job_id)
    assert [job.job_id[-1] for job in repository.list(JobQuery(text="owl"))] == ["4"]
    assert repository.leases.acquire("slot", "ann", heartbeat="boot 1.0", at=NOON) is not None
    repository.close()


def test_the_costs_of_older_jobs_are_summed(database):
    """What the runs of an older version are known to have cost counts, in sums and budgets."""
    restore(database, RELEASED / "0005.sql")
    repository = open_repository(database.engine.url.render_as_string(hide_password=False))
    found = repository.sum_costs(CostQuery(by=CostGroup.PROVIDER))
    assert [(one.group, str(one.spent), one.spent_jobs) for one in found] == [
        ("modal", "0.75 USD", 1)
    ]
    month = Budget(period=BudgetPeriod.MONTH, limit=Money.of(1))
    facts = {"estimate": {"amount": 0.5, "currency": "USD"}}
    with pytest.raises(ConfigurationError, match=r"0\.25 USD are left this month"):
        repository.add_within(make_job(facts=facts), [month])
    repository.close()


def test_a_database_that_is_behind_is_moved(database):
    """A database from before the first revision is brought up to date, and then used."""
    with database.engine.connect() as connection:
        connection.execute(text(f"CREATE TABLE {VERSION_TABLE} (version_num VARCHAR(32) NOT NULL)"))
    schema.ensure_current(database)
    with database.engine.connect() as connection:
        assert schema._read_revision(connection) == schema.NEWEST_REVISION
        assert connection.execute(jobs.select()).all() == []


def test_a_newer_database_is_refused(sqlite_url, later_migrations):
    """A database of a later version is left alone, and the error says which version it wants."""
    repository = open_repository(sqlite_url)
    repository.add(make_job(job_id="kept"))
    migrate(repository._database, later_migrations)
    assert repository.get("kept").job_id == "kept"
    repository.close()
    with pytest.raises(ConfigurationError, match=r"'0007'.*newer version") as caught:
        open_repository(sqlite_url)
    assert caught.value.code == "database_newer"


def test_a_migration_happens_whole_or_not_at_all(database, later_migrations):
    """A migration that breaks in the middle leaves the schema as it was."""
    schema.ensure_current(database)
    before = describe_tables(database)
    (later_migrations / "versions" / "v0008_extra.py").write_text(BROKEN)
    with pytest.raises(OSError, match="the lights went out"):
        migrate(database, later_migrations)
    assert describe_tables(database) == before
    schema.ensure_current(database)


def test_tables_of_somebody_else_are_refused(database):
    """A table of our name that is not ours is an error, and it is not touched."""
    with database.engine.connect() as connection:
        connection.execute(text("CREATE TABLE tiomagic_jobs (other INTEGER)"))
    with pytest.raises(ConfigurationError, match="tiomagic_jobs"):
        schema.ensure_current(database)
    assert list(describe_tables(database)) == ["tiomagic_jobs"]


def test_a_row_from_another_time_is_an_error(sqlite_repository):
    """A status word that this version does not know is an error that names the job."""
    sqlite_repository.add(make_job(job_id="odd"))
    with sqlite_repository._database.connection() as connection:
        connection.execute(jobs.update().values(status="pondering"))
    with pytest.raises(ProcessingError, match=r"'odd'.*pondering"):
        sqlite_repository.get("odd")
