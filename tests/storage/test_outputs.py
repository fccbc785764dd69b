"""Finished videos: whole under their names, or an error and the source untouched."""

import json
import os
import subprocess
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.testing.outputs import OutputStoreContract, make_video
from tiomagic_domain.testing.repository import NOON, make_job
from tiomagic_storage import FolderOutputStore
from tiomagic_storage.files.atomic import TEMPORARY_MARKER, try_lock


class TestFolderOutputStore(OutputStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> FolderOutputStore:
        return FolderOutputStore(tmp_path / "made" / "on" / "demand")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def assert_nothing_happened(caught, folder: Path, video) -> None:
    """The error names both paths; there is nothing in the folder, and the source is whole."""
    assert str(folder) in caught.value.message
    assert str(video.path) in caught.value.message
    assert names(folder) == []
    assert video.path.stat().st_size > 0


def test_the_name_says_what_made_it(tmp_path):
    """Model, feature, UTC time of creation and the start of the id, whatever the zone."""
    job = make_job(
        job_id="0123456789",
        model="lab/owl v2",
        creation_time=NOON.astimezone(timezone(timedelta(hours=9))),
    )
    path = FolderOutputStore(tmp_path).save(job, make_video(tmp_path / "spool"))
    assert path.name == "lab_owl_v2-text_to_video-20261122T120000Z-01234567.mp4"
    assert names(tmp_path) == [path.with_suffix(".json").name, path.name, "spool"]


def test_a_relative_folder_gives_an_absolute_path(tmp_path, monkeypatch):
    """The path that a job records holds in every working directory."""
    monkeypatch.chdir(tmp_path)
    path = FolderOutputStore(Path("videos")).save(make_job(), make_video(tmp_path / "spool"))
    assert path.parent == tmp_path / "videos"


def test_a_disk_that_fills_up_is_an_error(tmp_path, file_size_limit):
    """Space that ends in the middle of the copy leaves nothing behind, and later it works."""
    video = make_video(tmp_path / "spool", b"x" * 3_000_000)
    store, job = FolderOutputStore(tmp_path / "videos"), make_job()
    with file_size_limit(1_000_000), pytest.raises(ProcessingError) as caught:
        store.save(job, video)
    assert_nothing_happened(caught, tmp_path / "videos", video)
    assert store.save(job, video).stat().st_size == 3_000_000


def test_a_full_file_system_is_an_error(tmp_path):
    """The same on a real file system without space, which only root can make here."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", small]
    if os.geteuid() != 0 or subprocess.run(mount, check=False, capture_output=True).returncode:
        pytest.skip("may not mount a file system; test_a_disk_that_fills_up_is_an_error stands in")
    try:
        video = make_video(tmp_path / "spool", b"x" * 3_000_000)
        with pytest.raises(ProcessingError, match="No space left") as caught:
            FolderOutputStore(small).save(make_job(), video)
        assert_nothing_happened(caught, small, video)
    finally:
        subprocess.run(["umount", small], check=True)


def test_a_read_only_folder_is_an_error(guarded_folder):
    """A folder that one may not write in keeps the source where it is."""
    video = make_video(guarded_folder / "spool")
    videos = guarded_folder / "videos"
    videos.mkdir(mode=0o500)
    with pytest.raises(ProcessingError, match="Permission denied") as caught:
        FolderOutputStore(videos).save(make_job(), video)
    assert_nothing_happened(caught, videos, video)


def test_a_file_in_the_place_of_the_folder_is_an_error(tmp_path):
    """A folder that cannot be made is an error with its path."""
    (tmp_path / "videos").write_text("a file")
    video = make_video(tmp_path / "spool")
    with pytest.raises(ProcessingError, match="videos"):
        FolderOutputStore(tmp_path / "videos").save(make_job(), video)
    assert video.path.exists()


def test_a_recipe_that_cannot_be_placed_keeps_the_video_back(tmp_path):
    """A video never appears without its recipe."""
    job, store = make_job(), FolderOutputStore(tmp_path / "videos")
    path = store.save(job, make_video(tmp_path / "spool"))
    path.unlink()
    path.with_suffix(".json").unlink()
    path.with_suffix(".json").mkdir()
    with pytest.raises(ProcessingError):
        store.save(job, make_video(tmp_path / "spool"))
    assert names(tmp_path / "videos") == [path.with_suffix(".json").name]


def test_a_source_that_cannot_be_removed_is_no_error(guarded_folder):
    """The video is safe, and that is what counts."""
    video = make_video(guarded_folder / "spool")
    video.path.parent.chmod(0o500)
    path = FolderOutputStore(guarded_folder / "videos").save(make_job(), video)
    assert path.read_bytes() == video.path.read_bytes()
    video.path.parent.chmod(0o700)


def test_leftovers_of_dead_writers_are_removed(tmp_path):
    """Old and unlocked temporary files go; young ones, locked ones and other people's stay."""
    old, young, busy, foreign = (
        tmp_path / name
        for name in (
            f".a{TEMPORARY_MARKER}",
            f".b{TEMPORARY_MARKER}",
            f".c{TEMPORARY_MARKER}",
            ".d.part",
        )
    )
    for path in (old, young, busy, foreign):
        path.write_bytes(b"half")
    for path in (old, busy, foreign):
        os.utime(path, (0, 0))
    with busy.open("rb") as file:
        assert try_lock(file.fileno())
        target = FolderOutputStore(tmp_path).save(make_job(), make_video(tmp_path / "spool"))
    expected = [young, busy, foreign, target, target.with_suffix(".json"), tmp_path / "spool"]
    assert names(tmp_path) == sorted(path.name for path in expected)


def test_recovery_removes_them_without_a_save(tmp_path: Path) -> None:
    """What nobody writes any more is gone; what a living process writes stays, however old."""
    old, busy = tmp_path / f".a{TEMPORARY_MARKER}", tmp_path / f".b{TEMPORARY_MARKER}"
    for path in (old, busy):
        path.write_bytes(b"half")
        os.utime(path, (0, 0))
    with busy.open("rb") as file:
        assert try_lock(file.fileno())
        FolderOutputStore(tmp_path).remove_partials()
    assert names(tmp_path) == [busy.name]
    FolderOutputStore(tmp_path / "not there").remove_partials()


def test_the_recipe_keeps_its_letters(tmp_path):
    """A recipe is for people too: UTF-8, and odd characters are no error."""
    video = make_video(tmp_path / "spool")
    video.recipe["prompt"] = "Füchslein \ud800"
    path = FolderOutputStore(tmp_path).save(make_job(), video).with_suffix(".json")
    assert "Füchslein" in path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["prompt"] == "Füchslein \ud800"


def test_a_video_of_another_folder_is_removed_by_its_own_name_only(tmp_path: Path) -> None:
    """The folder may have been another one then; what has another name is somebody else's."""
    job = make_job()
    old, new = FolderOutputStore(tmp_path / "old"), FolderOutputStore(tmp_path / "new")
    path = old.save(job, make_video(tmp_path / "spool"))
    foreign = tmp_path / "holiday.mp4"
    foreign.write_bytes(b"mine")
    assert new.remove(replace(job, result_video=str(foreign))) == []
    assert foreign.exists()
    assert new.remove(replace(job, result_video=str(path))) == [path, path.with_suffix(".json")]


def test_a_file_that_cannot_be_deleted_is_told(tmp_path: Path) -> None:
    """The error names the file."""
    job, store = make_job(), FolderOutputStore(tmp_path / "videos")
    path = store.save(job, make_video(tmp_path / "spool"))
    path.unlink()
    path.mkdir()  # What no permission of a superuser gets around.
    with pytest.raises(ProcessingError, match=path.name):
        store.remove(job)


FOREIGN = {
    "another job's recipe": b'{"tiomagic_recipe": 1, "job_id": "0123456789-other"}',
    "another program's JSON": b'{"exif": {}}',
    "no JSON": b"Dear diary",
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("with_video", [True, False])
def test_a_file_of_others_is_never_overwritten(tmp_path, content, with_video):
    """A name that is taken is left alone; the video gets another, is found, replaced, removed."""
    job, store = make_job(job_id="0123456789-mine"), FolderOutputStore(tmp_path / "videos")
    wanted = store.save(job, make_video(tmp_path / "spool"))
    assert store.remove(job) == [wanted, wanted.with_suffix(".json")]
    wanted.with_suffix(".json").write_bytes(content)
    if with_video:
        wanted.write_bytes(b"theirs")
    for frames in (b"first", b"second"):
        path = store.save(job, make_video(tmp_path / "spool", frames))
        assert path.name.endswith("-0123456789-mine.mp4")
        found = store.find(job)
        assert found is not None
        assert found.path == path
        assert path.read_bytes() == frames
    assert store.remove(replace(job, result_video=str(path))) == [path, path.with_suffix(".json")]
    assert wanted.with_suffix(".json").read_bytes() == content
    assert wanted.exists() == with_video


def test_a_video_alone_under_the_name_stays(tmp_path):
    """A video without a recipe may be anybody's: a second one goes beside it."""
    job, store = make_job(job_id="short"), FolderOutputStore(tmp_path)
    wanted = store.save(job, make_video(tmp_path / "spool", b"first"))
    wanted.with_suffix(".json").unlink()
    path = store.save(job, make_video(tmp_path / "spool", b"second"))
    assert path.name == f"{wanted.stem}-2.mp4"
    assert (wanted.read_bytes(), path.read_bytes()) == (b"first", b"second")


def test_another_job_with_the_same_start_has_its_own_video(tmp_path):
    """Ids that begin alike, of one model and second, are two videos and two recipes."""
    store = FolderOutputStore(tmp_path / "videos")
    paths = {}
    for name in ("01234567-a", "01234567-b"):
        video = make_video(tmp_path / "spool", name.encode())
        paths[name] = store.save(make_job(job_id=name), replace(video, recipe=recipe_of(name)))
    for name, path in paths.items():
        found = store.find(make_job(job_id=name))
        assert found is not None
        assert (found.path, found.recipe["job_id"]) == (path, name)
        assert path.read_bytes() == name.encode()


def recipe_of(name):
    return {"tiomagic_recipe": 1, "job_id": name}
