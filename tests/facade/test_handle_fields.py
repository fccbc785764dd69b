"""The handle has what the record has, and is as fresh as what was last heard."""

import asyncio
import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
from tests.facade.conftest import MODEL, VACE, FakeApp, clean_environment

from tiomagic.errors import ConfigurationError, JobExecutionError, ProcessingError
from tiomagic_domain.jobs.job import Job

DICTS = {"chosen"}
"""Fields that the handle shows in another form, each with a line of its own."""
NOT_PLAIN = {"feature", "status", "creation_time", "last_updated", "started_at", "ended_at"}
"""Fields that the handle shows as text."""


def test_every_field_of_the_record_is_an_attribute(fake_app: FakeApp) -> None:
    """What is added to the record is missed here."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(MODEL, prompt="a fox", seed=5)
    assert job.chosen == {"prompt": "a fox", "seed": 5}
    for field in dataclasses.fields(Job):
        stored, shown = getattr(job._job, field.name), getattr(job, field.name)
        if field.name in DICTS:
            continue
        if field.name in NOT_PLAIN:
            stored = stored.isoformat() if hasattr(stored, "isoformat") else stored.value
        assert (list(shown) if field.name == "tags" else shown) == (
            list(stored) if field.name == "tags" else stored
        ), field.name


def test_the_handle_follows_its_events(fake_app: FakeApp) -> None:
    """After the last event it needs no refresh; and with the events of a loop as well."""
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.text_to_video(VACE, prompt="a fox")
    for event in job.events():
        assert job.status == event.status
    assert (job.status, job.is_over) == ("completed", True)
    assert job.result_video

    async def follow() -> None:
        other = fake_app.tm.text_to_video(VACE, prompt="a fox")
        async for event in other.events_async(poll=0.01):
            assert other.status == event.status
        assert other.status == "completed"

    asyncio.run(follow())


def test_reset_forgets_what_was_configured(fake_app: FakeApp, folder: Path) -> None:
    """As after the import; what the instance was made with holds, and stored jobs stay."""
    fake_app.tm.reset()
    fake_app.tm.configure(provider="local", gpu="H100")
    job = fake_app.tm.text_to_video(MODEL, prompt="a fox")
    (folder / ".env").write_text("TIOMAGIC_GPU=T4\n")
    fake_app.tm.reset()
    assert (fake_app.tm.settings.provider, fake_app.tm.settings.gpu) == (None, "T4")
    assert fake_app.tm.get_job(job.job_id).status == "completed"
    with pytest.raises(ConfigurationError) as caught:
        fake_app.tm.text_to_video(MODEL, prompt="a fox")
    assert caught.value.code == "no_provider"


def test_the_package_is_a_program(folder: Path) -> None:
    """``python -m tiomagic`` is the command line."""
    done = subprocess.run(
        [sys.executable, "-m", "tiomagic", "--version"],
        cwd=folder,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.startswith("tiomagic ")


def test_a_handle_saves_its_video(fake_app: FakeApp, tmp_path: Path) -> None:
    """To a file or into a folder; the job keeps its own, and a job without a video says so."""
    fake_app.tm.configure(provider="local")
    job = fake_app.tm.text_to_video(MODEL, prompt="a fox", seed=5)
    video = Path(job.result_video or "")
    assert job.save(tmp_path / "fox.mp4") == tmp_path / "fox.mp4"
    assert job.save(tmp_path) == tmp_path / video.name
    assert (tmp_path / "fox.mp4").read_bytes() == video.read_bytes()
    assert job.seed == 5
    with pytest.raises(ProcessingError, match="cannot be copied"):
        job.save(tmp_path / "missing" / "fox.mp4")
    fake_app.tm.configure(provider="modal")
    with pytest.raises(JobExecutionError, match="queued"):
        fake_app.tm.text_to_video(VACE, prompt="a fox").save(tmp_path)


def test_a_handle_can_be_awaited(fake_app: FakeApp) -> None:
    """It comes back when the job is over."""
    fake_app.tm.configure(provider="modal")
    job = fake_app.tm.text_to_video(VACE, prompt="a fox")

    async def follow() -> None:
        assert await job is job

    asyncio.run(follow())
    assert job.status == "completed"
