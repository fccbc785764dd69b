"""Opening a database: what works, what is refused, and what each refusal says."""

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tiomagic_domain.errors import ConfigurationError, MissingDependencyError, ProcessingError
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database import busy_timeout


def run_python(code: str, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_importing_the_package_loads_no_vendor():
    """``import tiomagic_storage`` costs the standard library and the domain."""
    code = (
        "import sys, tiomagic_storage; print(sorted({'sqlalchemy', 'alembic'} & set(sys.modules)))"
    )
    assert run_python(code) == "[]"


def test_alembic_stays_out_unless_the_schema_is_behind(sqlite_url):
    """Neither making a database nor opening a current one imports Alembic."""
    code = (
        "import sys; from tiomagic_storage import open_repository; "
        "open_repository(sys.argv[1]).close(); print('alembic' in sys.modules)"
    )
    assert [run_python(code, sqlite_url) for _ in range(2)] == ["False", "False"]


def test_the_class_is_there_for_annotations():
    """The lazy name is the class; another name is an error as usual."""
    import tiomagic_storage

    assert tiomagic_storage.SqlJobRepository.__name__ == "SqlJobRepository"
    with pytest.raises(AttributeError, match="nothing_like_it"):
        _ = tiomagic_storage.nothing_like_it


def test_a_relative_url_survives_a_change_of_folder(tmp_path, monkeypatch):
    """The file is decided when the repository is opened, not at each connection."""
    monkeypatch.chdir(tmp_path)
    repository = open_repository("sqlite:///.tiomagic/jobs.db")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    repository.close()
    repository.add(make_job())
    repository.close()
    assert not (tmp_path / "elsewhere" / ".tiomagic").exists()
    assert repository.location == str(tmp_path / ".tiomagic" / "jobs.db")


def test_the_file_is_in_wal_mode_and_synced(sqlite_repository):
    """Readers do not wait for the writer, and a commit is on the disk."""
    with sqlite_repository._database.connection() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2


def test_a_forked_child_goes_on(tmp_path):
    """A child of a fork writes with connections of its own, and the parent's stay good."""
    code = """
import os, sys
from tiomagic_domain.testing.repository import make_job
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_storage import open_repository
repository = open_repository(sys.argv[1])
repository.add(make_job(job_id="before"))
child = os.fork()
if child == 0:
    repository.add(make_job(job_id="child"))
    os._exit(0)
assert os.waitpid(child, 0)[1] == 0
repository.add(make_job(job_id="parent"))
print(sorted(job.job_id for job in repository.list(JobQuery())))
"""
    assert run_python(code, f"sqlite:///{tmp_path}/jobs.db") == "['before', 'child', 'parent']"


@pytest.mark.parametrize(
    "url",
    ["nonsense", "", "sqlite://", "sqlite:///:memory:", "sqlite:///file:x?uri=true", "mysql://a/b"],
)
def test_a_url_of_no_use_is_refused(url):
    """The error shows what a URL should look like."""
    with pytest.raises(ConfigurationError, match=r"sqlite:///\.tiomagic/jobs\.db"):
        open_repository(url)


def test_a_password_is_not_told():
    """A server that is not there is an error with the URL, but without the password."""
    with pytest.raises(ConfigurationError, match=r"tester:\*\*\*@127.0.0.1") as caught:
        open_repository("postgres://tester:secret@127.0.0.1:1/jobs")
    assert "secret" not in str(caught.value)
    assert "secret" not in str(caught.value.details)


def test_a_missing_driver_names_the_command(monkeypatch):
    """PostgreSQL without psycopg is an error that says what to install."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(MissingDependencyError, match="pip install 'psycopg"):
        open_repository("postgresql://tester@127.0.0.1:1/jobs")


def test_a_file_that_is_no_database_is_refused(tmp_path):
    """The error names the file and what to do, and the file is as it was."""
    path = tmp_path / "jobs.db"
    path.write_text("Dear diary, " * 1000)
    with pytest.raises(ConfigurationError, match="move the file away") as caught:
        open_repository(f"sqlite:///{path}")
    assert str(path) in caught.value.message
    assert path.read_text().startswith("Dear diary")


def test_a_damaged_database_is_refused(sqlite_url):
    """Garbage over the pages of a database is found, at the latest when jobs are asked for."""
    repository = open_repository(sqlite_url)
    repository.add(make_job())
    repository.close()
    path = Path(sqlite_url.removeprefix("sqlite:///"))
    content = path.read_bytes()
    path.write_bytes(content[:4096] + b"\xa5" * (len(content) - 4096))

    def use() -> None:
        open_repository(sqlite_url).list(JobQuery())

    with pytest.raises((ConfigurationError, ProcessingError), match="is damaged") as caught:
        use()
    assert str(path) in caught.value.message


def test_damage_later_is_an_error_of_processing(sqlite_repository):
    """A run that goes on may pass over a database that breaks under it."""
    path = Path(sqlite_repository.location)
    sqlite_repository.add(make_job())
    sqlite_repository.close()
    path.write_bytes(b"Dear diary, " * 1000)
    with pytest.raises(ProcessingError, match="no SQLite database"):
        sqlite_repository.list(JobQuery())


def test_a_folder_in_the_place_of_the_file_is_refused(tmp_path):
    """A directory under the file's name is named in the error."""
    (tmp_path / "jobs.db").mkdir()
    with pytest.raises(ConfigurationError, match=r"jobs\.db cannot be opened"):
        open_repository(f"sqlite:///{tmp_path}/jobs.db")


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    """A folder that cannot be made is named in the error."""
    (tmp_path / "state").write_text("a file")
    with pytest.raises(ConfigurationError, match="state for the database cannot be made"):
        open_repository(f"sqlite:///{tmp_path}/state/jobs.db")


def test_a_read_only_folder_is_refused(guarded_folder):
    """A folder that one may not write in gives the path and what to check."""
    guarded_folder.chmod(0o500)
    with pytest.raises(ConfigurationError, match="you may write there") as caught:
        open_repository(f"sqlite:///{guarded_folder}/jobs.db")
    assert str(guarded_folder) in caught.value.message


def test_a_read_only_file_is_an_error_when_written(guarded_folder):
    """A database that may only be read refuses a job with an error of processing."""
    url = f"sqlite:///{guarded_folder}/jobs.db"
    open_repository(url).close()
    (guarded_folder / "jobs.db").chmod(0o400)
    repository = open_repository(url)
    with pytest.raises(ProcessingError, match="cannot be opened or written"):
        repository.add(make_job())
    repository.close()


def test_a_database_that_somebody_holds_is_busy(tmp_path, monkeypatch):
    """When the time to wait is over, the error says so and that trying again may help."""
    monkeypatch.setattr(busy_timeout, "BUSY_TIMEOUT_S", 0.05)
    repository = open_repository(f"sqlite:///{tmp_path}/jobs.db")
    with closing(sqlite3.connect(tmp_path / "jobs.db")) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ProcessingError, match="locked by another process") as caught:
            repository.add(make_job())
        assert (caught.value.retryable, caught.value.code) == (True, "database_busy")
        other.execute("ROLLBACK")
    repository.add(make_job())
    repository.close()


def test_a_full_disk_keeps_what_was_stored(sqlite_repository, file_size_limit):
    """A job that finds no space is an error; those before it stay, and later ones may come."""
    sqlite_repository.add(make_job(job_id="before"))
    big = make_job(prompt="x" * 500_000)
    with file_size_limit(100_000), pytest.raises(ProcessingError, match="database"):
        sqlite_repository.add(big)
    assert sqlite_repository.get("before").job_id == "before"
    sqlite_repository.add(make_job(job_id="after"))
