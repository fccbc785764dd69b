"""Pictures of a result, and the result as files for other programs."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.facade.conftest import FakeApp, Run

from tiomagic import JobHandle, TioMagic
from tiomagic.errors import GenerationError, ResourceNotFoundError, ValidationError
from tiomagic_media.encode.mp4 import write_mp4

FRAMES = 9


def write_clip(path: Path) -> None:
    """Write frames that grow brighter, from black to 240."""
    shades = np.arange(FRAMES, dtype=np.uint8) * 30
    frames = np.broadcast_to(shades[:, None, None, None], (FRAMES, 48, 64, 3))
    write_mp4(path, np.ascontiguousarray(frames), fps=8, recipe={})


@pytest.fixture
def job(fake_app: FakeApp) -> JobHandle:
    """A finished job of a provider that is not ours, with a real video."""
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.text_to_video(prompt="a <fox>", seed=3).wait()
    assert job.result_video is not None
    write_clip(Path(job.result_video))
    return job


def shade(path: Path) -> int:
    """Return the brightness in the middle of a picture."""
    with Image.open(path) as image:
        red: int = np.asarray(image.convert("RGB"))[image.height // 2, image.width // 2, 0]
        return int(red)


def test_a_handle_an_id_and_a_file_are_the_same(
    fake_app: FakeApp, job: JobHandle, folder: Path
) -> None:
    """Pictures are made by whatever names the video, beside it or where they are wanted."""
    assert job.result_video is not None
    video = Path(job.result_video)
    beside = job.contact_sheet(frames=4, columns=2, width=80)
    assert beside == video.with_name(f"{video.stem}_sheet.png")
    by_id = fake_app.tm.contact_sheet(job.job_id, folder / "id.png", frames=4, columns=2, width=80)
    by_file = fake_app.tm.contact_sheet(video, folder, frames=4, columns=2, width=80)
    assert by_file == folder / beside.name
    assert beside.read_bytes() == by_id.read_bytes()
    with Image.open(beside) as one, Image.open(by_file) as other:
        assert one.size == other.size
        assert 2 * 80 < one.width < 3 * 80


def test_the_poster_is_the_middle_and_the_last_frame_the_last(job: JobHandle) -> None:
    """Each still shows the frame that its name says."""
    assert shade(job.poster()) == pytest.approx(120, abs=6)
    last = job.last_frame()
    assert last.name.endswith("_last.png")
    assert shade(last) == pytest.approx(240, abs=6)
    assert shade(job.convert("png", frame=2)) == pytest.approx(60, abs=6)


def test_what_lies_beside_a_file_is_not_overwritten(fake_app: FakeApp, folder: Path) -> None:
    """Beside a file that was named, or in a folder, a name that is taken is left alone.

    A name that was asked for is replaced.
    """
    write_clip(folder / "clip.mp4")
    (folder / "clip_poster.png").write_bytes(b"theirs")
    (folder / "clip.gif").write_bytes(b"theirs")
    posters = [fake_app.tm.poster(folder / "clip.mp4") for _ in range(2)]
    assert [path.name for path in posters] == ["clip_poster-2.png", "clip_poster-3.png"]
    assert fake_app.tm.convert("clip.mp4", "gif", folder).name == "clip-2.gif"
    assert (folder / "clip_poster.png").read_bytes() == b"theirs"
    assert (folder / "clip.gif").read_bytes() == b"theirs"
    named = fake_app.tm.poster(folder / "clip.mp4", folder / "clip_poster.png")
    assert shade(named) == pytest.approx(120, abs=6)


@pytest.mark.parametrize(
    ("to", "ending"),
    [
        *(("gif", ".gif"), ("webp", ".webp"), ("prores", ".mov"), ("ffv1", ".mkv")),
        *(("frames", ""), ("mp4", "_32.mp4")),
    ],
)
def test_a_video_becomes_another_file(job: JobHandle, to: str, ending: str) -> None:
    """Each format has its ending and lies beside the video."""
    made = job.convert(to, width=32)
    # A model's name has a dot in it.
    assert made.name.endswith(ending or "_frames")
    assert made.parent == Path(job.result_video or "").parent
    if to == "frames":
        assert len(list(made.glob("*.png"))) == FRAMES


def test_a_job_without_a_video_says_so(fake_app: FakeApp) -> None:
    """Running, failed and lost videos are told apart, and nothing is written."""
    fake_app.tm.configure(provider="modal")
    running = fake_app.tm.text_to_video(prompt="a fox")
    with pytest.raises(ResourceNotFoundError, match="queued; wait for its end, then check"):
        running.contact_sheet()
    fake_app.modal.failure = GenerationError("the fake broke")
    with pytest.raises(ResourceNotFoundError, match=r"failed: .*the fake broke"):
        fake_app.tm.text_to_video(prompt="a fox").wait().poster()
    fake_app.modal.failure = None
    gone = fake_app.tm.text_to_video(prompt="a fox").wait()
    Path(gone.result_video or "").unlink()
    with pytest.raises(ResourceNotFoundError, match="is gone"):
        gone.convert("gif")


def test_wrong_words_and_places_are_refused(job: JobHandle, folder: Path) -> None:
    """A format that is none, a name of another format and numbers that make no picture."""
    with pytest.raises(ValidationError, match="to: must be one of mp4, gif"):
        job.convert("giff")
    with pytest.raises(ValidationError, match=r"must end in \.gif"):
        job.convert("gif", folder / "clip.webp")
    with pytest.raises(ValidationError, match="must be another file"):
        job.convert("mp4", job.result_video)
    with pytest.raises(ValidationError, match="columns: must be 1 or more"):
        job.contact_sheet(columns=0)
    with pytest.raises(ResourceNotFoundError, match="no file"):
        TioMagic().poster("nothing.mp4")


def test_the_command_line_prints_the_path(shell: Run, folder: Path) -> None:
    """``sheet`` and ``convert`` take a file too, and give its path alone on stdout."""
    write_clip(folder / "clip.mp4")
    done = shell("sheet", "clip.mp4", "--frames", "3")
    assert done.stdout == f"{folder / 'clip_sheet.png'}\n"
    done = shell("convert", "clip.mp4", "--to", "gif", "-o", "small.gif", "--width", "32")
    assert (done.returncode, done.stdout) == (0, f"{folder / 'small.gif'}\n")
    done = shell("convert", "clip.mp4", "--to", "avi")
    assert done.returncode == 3
    assert "must be one of" in done.stderr


def test_a_notebook_shows_a_player(job: JobHandle, monkeypatch: pytest.MonkeyPatch) -> None:
    """The video is in the page, words are escaped, and a large video is only named."""
    html = job._repr_html_()
    assert "data:video/mp4;base64," in html
    assert "a &lt;fox&gt;" in html
    assert "<fox>" not in html
    assert " · seed 3" in html
    monkeypatch.setattr("tiomagic.display.notebook.MAX_INLINE_VIDEO_BYTES", 10)
    assert "base64" not in job._repr_html_()
    assert (job.result_video or "") in job._repr_html_()
    Path(job.result_video or "").unlink()
    assert "gone" in job._repr_html_()
