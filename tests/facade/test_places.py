"""Where the files of a working folder are, however it is called, and who may read them."""

import contextlib
import json
import os
import stat
from pathlib import Path

import pytest
from PIL import Image

from tiomagic import TioMagic
from tiomagic_domain.testing import FakeProvider

NAMES = [
    *("which take? (2)", "100%41", "a#b & c", 'it\'s "q"', "two\nlines", ":memory:", "ü🦊"),
    os.fsdecode(b"\xff\xfe"),
]


def client(folder: Path, **settings) -> TioMagic:
    fake = FakeProvider(folder / "spool", name="local", blocking=True, default_model="doodle")
    return TioMagic(provider="local", overrides={"providers": {"local": fake}}, **settings)


@pytest.mark.parametrize("name", NAMES, ids=ascii)
def test_a_working_folder_may_have_any_name(folder, monkeypatch, name):
    """Database, video, recipe and log are in the folder and nowhere else, and found again."""
    work = folder / name
    work.mkdir()
    monkeypatch.chdir(work)
    tm = client(work)
    job = tm.text_to_video(prompt="a fox")
    tm.close()
    assert [path.name for path in folder.iterdir()] == [name]
    here = {path.name for path in work.iterdir()} - {"spool"}
    assert here == {".tiomagic", "output_videos", "generation_log.json"}
    assert (work / ".tiomagic" / "jobs.db").is_file()
    assert Path(job.result_video).parent == work / "output_videos"
    other = client(work)
    assert other.get_job(job.job_id).result_video == job.result_video
    other.close()
    logged = json.loads((work / "generation_log.json").read_text("ascii"))
    assert [entry["result_video"] for entry in logged["jobs"]] == [job.result_video]


def test_a_folder_that_was_renamed_finds_its_videos(folder, monkeypatch):
    """Jobs of a renamed working folder have their videos, deleting them deletes the right files."""
    (folder / "before").mkdir()
    monkeypatch.chdir(folder / "before")
    tm = client(folder)
    job = tm.text_to_video(prompt="a fox")
    tm.close()
    (folder / "before").rename(folder / "after")
    tm = client(folder, working_dir=folder / "after")
    found = Path(tm.get_job(job.job_id).result_video)
    assert found == folder / "after" / "output_videos" / Path(job.result_video).name
    assert found.is_file()
    assert set(tm.delete_job(job.job_id, files=True)) == {found, found.with_suffix(".json")}
    tm.close()


@pytest.mark.parametrize("settings", [{}, {"timeout": 60}, {"output_dir": "videos"}])
def test_going_to_another_folder_moves_nothing(folder, monkeypatch, settings):
    """The working folder is that of the first use, whatever is configured afterwards."""
    tm = TioMagic(overrides={"providers": {"local": FakeProvider(folder, name="local")}})
    tm.configure(provider="local")
    before = tm.settings
    first = tm.text_to_video(prompt="a fox")
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    tm.configure(**settings)
    assert (tm.settings.working_dir, tm.settings.database_url) == (folder, before.database_url)
    assert tm.settings.output_dir == folder / settings.get("output_dir", "output_videos")
    tm.text_to_video(prompt="an owl")
    assert len(tm.list_jobs()) == 2
    assert tm.get_job(first.job_id).prompt == "a fox"
    assert list((folder / "elsewhere").iterdir()) == []
    tm.close()


def test_configuring_is_the_first_use(folder, monkeypatch):
    """A script may go elsewhere between ``configure`` and its first video."""
    tm = TioMagic()
    tm.configure(timeout=60)
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    assert tm.settings.working_dir == folder


def find_open_to_others(folder: Path) -> list[str]:
    """Return what in a folder others may use."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.lstat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)
    ]


@pytest.fixture
def usual_umask():
    """The umask with which all may read what a process makes."""
    before = os.umask(0o022)
    yield
    os.umask(before)


@pytest.mark.torch
@pytest.mark.usefixtures("usual_umask")
def test_the_state_is_for_its_owner(folder):
    """Database, inputs and spool of a real run are closed to others, by folder and by file."""
    picture = Image.new("RGB", (64, 64), "red")
    with contextlib.closing(TioMagic(provider="local", device="cpu")) as tm:
        call = {"model": "doodle", "num_inference_steps": 1, "image": picture}
        job = tm.image_to_video(prompt="a red circle", **call)
    assert job.status == "completed", job.error
    assert stat.S_IMODE((folder / ".tiomagic").stat().st_mode) == 0o700
    assert {"inputs", "jobs.db"} <= {path.name for path in (folder / ".tiomagic").iterdir()}
    assert find_open_to_others(folder / ".tiomagic") == []


@pytest.mark.usefixtures("usual_umask")
@pytest.mark.parametrize("name", [".tiomagic", "mine"])
def test_the_state_of_an_older_version_is_closed(folder, name):
    """What was made for all to read is closed at the first use; a folder of the user's stays."""
    state = folder / name
    (state / "inputs").mkdir(parents=True)
    (state / "notes").mkdir()
    (state / "shared").mkdir()
    (state / "spool").mkdir()
    (state / "spool").chmod(0o2775)
    (state / "jobs.db").touch()
    tm = client(folder, state_dir=name)
    tm.text_to_video(prompt="a fox")
    tm.close()
    modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in [state, *state.iterdir()]}
    assert modes[name] == (0o700 if name == ".tiomagic" else 0o755)
    assert (modes["inputs"], modes["jobs.db"], modes["notes"]) == (0o700, 0o600, 0o755)
    assert modes["spool"] == 0o2770
