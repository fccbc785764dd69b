"""Previews from all sides: who asks gets each picture once, and no record has any."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tiomagic.display.preview_file import PreviewFile
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.progress import Phase, Preview, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from tests.facade.conftest import FakeApp, Run

    from tiomagic import JobHandle

R, C = JobStatus.RUNNING, JobStatus.COMPLETED
PICTURE = Preview(jpeg=b"JPEG of a fox")


@pytest.fixture
def job(fake_app: FakeApp) -> JobHandle:
    """A job of a remote provider that runs for some polls, and has a picture."""
    fake_app.tm.configure(provider="modal")
    fake_app.modal.newest_preview = PICTURE
    job = fake_app.tm.text_to_video(prompt="a fox")
    fake_app.modal.runs[job.job_id].script = [R, R, R, C]
    return job


def test_a_run_is_asked_for_previews_before_it_begins(fake_app: FakeApp) -> None:
    """Its first steps may be those that matter; without the option nothing is asked."""
    fake_app.tm.configure(provider="local")
    plain = fake_app.tm.text_to_video(prompt="a fox")
    assert fake_app.local.looked_at == []
    looked: list[int] = []
    fake_app.local.during = lambda _step: looked.append(len(fake_app.local.looked_at))
    watched = fake_app.tm.text_to_video(prompt="a fox", preview=True)
    assert fake_app.local.looked_at == [watched.job_id]
    assert set(looked) == {1}
    fake_app.tm.rerun(plain.job_id, preview=True)
    assert len(fake_app.local.looked_at) == 2


def test_who_waits_gets_each_picture_once(fake_app: FakeApp, job: JobHandle) -> None:
    """The same picture is not passed on again; the end has none."""
    seen: list[Progress] = []
    job.wait(preview=True, on_progress=seen.append)
    assert [moment.preview for moment in seen if moment.preview] == [b"JPEG of a fox"]
    assert fake_app.modal.looked_at
    assert job.status == "completed"


def test_who_does_not_ask_looks_at_nothing(fake_app: FakeApp, job: JobHandle) -> None:
    """A preview costs a look at each poll, and the run its drawing."""
    job.wait()
    assert fake_app.modal.looked_at == []


def test_an_event_has_the_picture_and_the_record_has_not(fake_app: FakeApp, job: JobHandle) -> None:
    """Also where nothing else has changed; and nothing of it is stored."""
    events = list(job.events(preview=True))
    assert [event.preview for event in events if event.preview] == [b"JPEG of a fox"]
    assert "of a fox" not in json.dumps(fake_app.tm.get_job(job.job_id).to_dict())
    assert "of a fox" not in repr(events)


def test_a_loop_gets_them_as_well(fake_app: FakeApp, job: JobHandle) -> None:
    """Events and waits of an event loop."""

    async def follow() -> list[bytes]:
        return [
            event.preview async for event in job.events_async(poll=0, preview=True) if event.preview
        ]

    assert asyncio.run(follow()) == [b"JPEG of a fox"]


def test_a_job_says_what_it_looks_like_or_why_not(fake_app: FakeApp, job: JobHandle) -> None:
    """A job that is over has no preview, and a provider that cannot be reached none now."""
    job.refresh()
    assert job.preview() == PICTURE
    fake_app.modal.unreachable = True
    assert job.preview() == Preview()
    fake_app.modal.unreachable = False
    job.wait()
    assert job.preview() == Preview(reason="the job is completed")


def test_a_file_has_the_newest_one(tmp_path: Path) -> None:
    """Replaced whole; a step without a picture leaves it."""
    folder = tmp_path / "pictures"
    folder.mkdir()
    target = PreviewFile(folder / "now.jpg")
    step = Progress(phase=Phase.DENOISING, step=1, steps=3)
    target(step)
    assert not target.path.exists()
    target(Progress(phase=Phase.DENOISING, step=2, steps=3, preview=b"one"))
    target(step)
    assert target.path.read_bytes() == b"one"
    assert [path.name for path in folder.iterdir()] == ["now.jpg"]
    PreviewFile(tmp_path / "gone" / "now.jpg").write(b"one")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--preview", "now.png"), "must end in .jpg"),
        (("--preview", "gone/now.jpg"), "is not a folder"),
        (("--preview", "now.jpg", "--detach"), "status JOB --preview"),
    ],
)
def test_a_command_refuses_what_it_cannot_write(
    shell: Run, options: tuple[str, ...], said: str
) -> None:
    """Before the run, and with what to do."""
    done = shell("text-to-video", "a fox", "--provider", "fake", *options)
    assert done.returncode != 0
    assert said in " ".join(done.stderr.split())


def test_a_command_says_why_there_is_none(shell: Run) -> None:
    """A provider that draws none is a line, and the video is made."""
    done = shell("text-to-video", "a fox", "--provider", "fake", "--preview", "now.jpg")
    assert done.returncode == 0, done.stderr
    assert "now.jpg" in done.stderr
    asked = shell("status", "@last", "--preview", "now.jpg")
    assert asked.returncode == 0
    assert "the job is completed" in asked.stderr
