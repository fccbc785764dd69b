"""Where the database is: odd names, folders that move, files that go, and who may read them."""

import os
import shutil
import stat
from pathlib import Path
from urllib.parse import quote

import pytest

from tiomagic_domain.errors import ConfigurationError, ProcessingError, ResourceNotFoundError
from tiomagic_domain.jobs.job import JobQuery
from tiomagic_domain.testing.repository import make_job
from tiomagic_storage import open_repository
from tiomagic_storage.database.health import inspect_database

NAMES = [
    *("which take? (2)", "100%", "50%41", "a#b", "a & b", 'it\'s "quoted"', "two\nlines"),
    *(":memory:", "file:x", "ü🦊", "semi;colon", "back\\slash", "tab\there", "a=b&c=d", "~"),
    os.fsdecode(b"bytes\xff\xfe"),
]


def build_url(path: Path) -> str:
    return f"sqlite:///{quote(str(path), errors='surrogateescape')}"


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_folder_may_have_any_name(tmp_path, name):
    """The database is made in the folder and nowhere else, opened again, and looked at."""
    folder = tmp_path / name
    folder.mkdir()
    url = build_url(folder / ".tiomagic" / "jobs.db")
    repository = open_repository(url)
    repository.add(make_job(job_id="one", result_video=str(folder / "output_videos" / "a.mp4")))
    repository.close()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (folder / ".tiomagic" / "jobs.db").is_file()
    again = open_repository(url)
    assert again.get("one").result_video == str(folder / "output_videos" / "a.mp4")
    again.close()
    assert (inspect_database(url).jobs, inspect_database(url).location) == (
        1,
        str(folder / ".tiomagic" / "jobs.db"),
    )


def test_what_follows_a_question_mark_is_not_ignored(tmp_path):
    """A path with a bare question mark is an error that says how to write it; nothing is made."""
    with pytest.raises(ConfigurationError, match="%3F"):
        open_repository(f"sqlite:///{tmp_path}/which take? (2)/jobs.db")
    assert list(tmp_path.iterdir()) == []


def create_project(folder: Path) -> str:
    """Make a working folder with a video and its job, and return the database's URL."""
    video = folder / "output_videos" / "a.mp4"
    video.parent.mkdir(parents=True)
    video.write_bytes(b"frames")
    repository = open_repository(build_url(folder / ".tiomagic" / "jobs.db"))
    repository.add(make_job(job_id="here", result_video=str(video)))
    repository.add(make_job(job_id="elsewhere", result_video="/videos/b.mp4"))
    repository.add(make_job(job_id="none"))
    repository.close()
    return build_url(folder / ".tiomagic" / "jobs.db")


def test_a_folder_that_was_renamed_finds_its_videos(tmp_path):
    """A job's path is where its folder is now; one that lies elsewhere stays."""
    create_project(tmp_path / "before")
    (tmp_path / "deeper").mkdir()
    (tmp_path / "before").rename(tmp_path / "deeper" / "after")
    repository = open_repository(build_url(tmp_path / "deeper" / "after" / ".tiomagic" / "jobs.db"))
    listed = {job.job_id: job.result_video for job in repository.list(JobQuery())}
    found = repository.get("here").result_video
    assert found == listed["here"] == str(tmp_path / "deeper" / "after" / "output_videos" / "a.mp4")
    assert Path(found).read_bytes() == b"frames"
    assert (listed["elsewhere"], listed["none"]) == ("/videos/b.mp4", None)
    repository.save(repository.get("here"))
    assert repository.get("here").result_video == found
    repository.close()


def test_a_path_of_an_older_version_is_followed(tmp_path):
    """An absolute path that is gone is looked for below the folder of the database."""
    url = create_project(tmp_path / "work")
    repository = open_repository(url)
    for number in range(2):
        (tmp_path / "work" / "output_videos" / f"{number}.mp4").write_bytes(b"old")
        old = f"/mnt/other/work/output_videos/{number}.mp4"
        repository.add(make_job(job_id=f"old-{number}", result_video=old))
        found = repository.get(f"old-{number}").result_video
        assert found == str(tmp_path / "work" / "output_videos" / f"{number}.mp4")
    (tmp_path / "work" / "output_videos" / "1.mp4").unlink()
    assert repository.get("old-1").result_video == old
    repository.close()


def test_bytes_that_are_no_text_are_stored(tmp_path):
    """A path that lies elsewhere and is no text comes back as it was."""
    path = os.fsdecode(b"/videos/\xff%41.mp4")
    repository = open_repository(build_url(tmp_path / "jobs.db"))
    repository.add(make_job(job_id="odd", result_video=path))
    assert repository.get("odd").result_video == path
    repository.close()


@pytest.mark.parametrize("replaced", [False, True])
def test_a_database_that_goes_away_is_noticed(tmp_path, replaced):
    """What is done after the file was removed or replaced is an error once, and is not lost."""
    repository = open_repository(build_url(tmp_path / "state" / "jobs.db"))
    repository.add(make_job(job_id="before"))
    shutil.rmtree(tmp_path / "state")
    if replaced:
        other = open_repository(build_url(tmp_path / "state" / "jobs.db"))
        other.add(make_job(job_id="other"))
        other.close()
    else:
        (tmp_path / "state").mkdir()
    with pytest.raises(ProcessingError, match="removed, renamed or replaced") as caught:
        repository.add(make_job(job_id="lost?"))
    assert caught.value.code == "database_replaced"
    repository.add(make_job(job_id="after"))
    repository.close()
    fresh = open_repository(build_url(tmp_path / "state" / "jobs.db"))
    ids = {job.job_id for job in fresh.list(JobQuery())}
    assert ids == ({"other", "after"} if replaced else {"after"})
    with pytest.raises(ResourceNotFoundError):
        fresh.get("before")
    fresh.close()


def test_a_folder_that_is_gone_is_said_each_time(tmp_path):
    """As long as the folder is not back there is an error; then the database goes on."""
    repository = open_repository(build_url(tmp_path / "work" / "jobs.db"))
    repository.add(make_job(job_id="kept"))
    (tmp_path / "work").rename(tmp_path / "renamed")
    for _ in range(2):
        with pytest.raises((ProcessingError, ConfigurationError)):
            repository.get("kept")
    (tmp_path / "renamed").rename(tmp_path / "work")
    assert repository.get("kept").job_id == "kept"
    repository.close()


def test_the_database_is_for_its_owner(tmp_path):
    """Folder, file and the files beside it are closed to others, whatever the umask."""
    before = os.umask(0o022)
    try:
        repository = open_repository(build_url(tmp_path / "state" / "deep" / "jobs.db"))
        repository.add(make_job())
    finally:
        os.umask(before)
    assert mode(tmp_path / "state") == mode(tmp_path / "state" / "deep") == 0o700
    files = {path.name: mode(path) for path in (tmp_path / "state" / "deep").iterdir()}
    assert files == {"jobs.db": 0o600, "jobs.db-wal": 0o600, "jobs.db-shm": 0o600}
    repository.close()


@pytest.mark.parametrize(("found", "left"), [(0o644, 0o600), (0o664, 0o660), (0o400, 0o400)])
def test_a_database_of_an_older_version_is_closed_to_others(tmp_path, found, left):
    """A file that all could read is closed; what a group may write it keeps; folders stay."""
    tmp_path.chmod(0o755)
    open_repository(build_url(tmp_path / "jobs.db")).close()
    (tmp_path / "jobs.db").chmod(found)
    open_repository(build_url(tmp_path / "jobs.db")).close()
    assert mode(tmp_path / "jobs.db") == left
    assert mode(tmp_path) == 0o755
