"""What a browser may fetch: by id, and nothing that is in no list."""

from pathlib import Path

import pytest

from tiomagic.ui.web.files import ServedFiles, address_of, video_id
from tiomagic.ui.web.uploads import Uploads
from tiomagic_domain.testing import MemoryJobRepository, make_job

SHA = "0123456789abcdef" * 4


@pytest.fixture
def jobs() -> MemoryJobRepository:
    """The stored jobs."""
    return MemoryJobRepository()


@pytest.fixture
def files(jobs: MemoryJobRepository, tmp_path: Path) -> ServedFiles:
    """The files of a state folder with one input."""
    inputs = tmp_path / "inputs"
    inputs.mkdir()
    (inputs / f"{SHA}.png").write_bytes(b"picture")
    (inputs / "jobs.db").write_bytes(b"database")
    return ServedFiles(jobs.get, inputs, Uploads(tmp_path / "uploads"))


def test_a_video_is_found_by_its_job(
    files: ServedFiles, jobs: MemoryJobRepository, tmp_path: Path
) -> None:
    """Wherever it lies, and no other file of its folder."""
    for name in ("a.mp4", "b.mp4", ".env"):
        (tmp_path / name).write_bytes(name.encode())
    jobs.add(make_job(job_id="a", result_video=str(tmp_path / "a.mp4")))
    found = files.find(video_id("a"))
    assert found is not None
    assert found.path.read_bytes() == b"a.mp4"
    for wrong in ("video/b", "video/../a.mp4", str(tmp_path / "b.mp4"), "video/", "video/a/b"):
        assert files.find(wrong) is None, wrong


@pytest.mark.parametrize(
    "video", [".env", "settings.env", "jobs.db", ".hidden.mp4", "gone.mp4", "folder.mp4", "a\0.mp4"]
)
def test_a_record_names_no_other_file(
    video: str, files: ServedFiles, jobs: MemoryJobRepository, tmp_path: Path
) -> None:
    """A record may be of a stranger: what is no video of its own is not given."""
    (tmp_path / "folder.mp4").mkdir()
    for name in (".env", "settings.env", "jobs.db", ".hidden.mp4"):
        (tmp_path / name).write_text("secret")
    jobs.add(make_job(job_id="a", result_video=str(tmp_path / video)))
    assert files.find("video/a") is None


def test_an_input_is_found_by_its_hash(files: ServedFiles) -> None:
    """The whole hash, as it is; no pattern and no path."""
    found = files.find(f"input/{SHA}")
    assert found is not None
    assert found.path.read_bytes() == b"picture"
    for wrong in (
        *(
            "input/*",
            "input/jobs.db",
            "input/../jobs",
            f"input/{SHA[:-1]}?",
            f"input/{SHA.upper()}",
        ),
        *(f"input/{SHA}.png", f"input/{SHA}/", f"input/{SHA[:-1]}", "input/" + "f" * 64),
    ):
        assert files.find(wrong) is None, wrong


def test_an_input_is_called_as_it_was(files: ServedFiles) -> None:
    """By the name in a job's record, which may be of a stranger: no markup, no half character."""
    for name, called in (
        ("a fox.png", "a fox.png"),
        ("<b>\ud83d.png", "_b__.png"),
        (7, f"{SHA}.png"),
    ):
        found = files.find_input(SHA, name)
        assert found is not None
        assert found.name == called


def test_an_id_is_text(files: ServedFiles) -> None:
    """Whatever else a browser sends names no file."""
    assert files.find(f"input/{SHA}") is not None
    for wrong in (None, 7, ["input"], {"path": f"input/{SHA}"}, True):
        assert files.find(wrong) is None


def test_an_address_is_one_whatever_a_job_is_called() -> None:
    """An id goes into HTML and an address."""
    assert address_of(video_id('a"><b>')) == "gradio_api/file=video/a%22%3E%3Cb%3E"
