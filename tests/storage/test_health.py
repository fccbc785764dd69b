"""Looking at a database changes nothing and tells the truth, on both kinds."""

from pathlib import Path

import pytest

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database.health import has_database, inspect_database
from tiomagic_storage.database.schema import NEWEST_REVISION


def test_whether_there_is_one_is_asked_without_opening_it(tmp_path: Path):
    """A damaged file is there, too; a server counts as there without a connection."""
    path = tmp_path / "jobs.db"
    assert not has_database(f"sqlite:///{path}")
    path.write_text("not a database")
    assert has_database(f"sqlite:///{path}")
    assert has_database("postgresql+psycopg://nobody@127.0.0.1:9/none")


def test_a_file_that_is_not_there_stays_away(tmp_path: Path):
    """Neither the file nor its folder is made."""
    health = inspect_database(f"sqlite:///{tmp_path}/state/jobs.db")
    assert (health.exists, health.revision) == (False, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["sqlite_url", "postgresql_url"])
def test_jobs_are_counted(kind: str, request: pytest.FixtureRequest):
    """A database in use is sound, of the newest schema, and says how many jobs it has."""
    url = request.getfixturevalue(kind)
    repository = open_repository(url)
    repository.add(make_job())
    health = inspect_database(url)
    repository.close()
    assert (health.exists, health.revision, health.jobs, health.damage) == (
        True,
        NEWEST_REVISION,
        1,
        None,
    )


def test_an_empty_server_has_no_schema_and_gets_none(postgresql_url: str):
    """Tables are made by using a database, not by looking at it."""
    assert inspect_database(postgresql_url).revision is None
    assert inspect_database(postgresql_url).revision is None


def test_a_server_that_is_not_there_is_named():
    """The address is in the error, the password is not."""
    with pytest.raises(ConfigurationError, match=r"127\.0\.0\.1") as caught:
        inspect_database("postgresql://user:hidden@127.0.0.1:1/jobs")
    assert "hidden" not in str(caught.value)
