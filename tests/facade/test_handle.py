"""The job handle: what it shows, and how it follows a job."""

import json
from datetime import datetime
from pathlib import Path

import pytest
from tests.facade.conftest import VACE, FakeApp

from tiomagic import JobHandle
from tiomagic.errors import GenerationError, JobExecutionError, JobTimeoutError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.progress import Progress
from tiomagic_domain.testing import FakeProvider, make_job


@pytest.fixture
def job(fake_app: FakeApp) -> JobHandle:
    """A queued job on a remote provider."""
    fake_app.tm.configure(provider="modal")
    return fake_app.tm.text_to_video(prompt="a fox")


def test_the_documented_attributes(job: JobHandle) -> None:
    """Everything of 1.0.0's handle is there, and ``json.dumps`` takes the dict."""
    assert (job.feature, job.model, job.provider) == ("text_to_video", VACE, "modal")
    assert (job.status, job.error, job.result_video, job.progress) == ("queued", None, None, None)
    assert job.facts == {}
    for moment in (job.creation_time, job.last_updated):
        assert datetime.fromisoformat(moment).utcoffset() is not None
    assert job.generation is not None
    assert set(job.generation) == {
        "call_id",
        "status",
        "message",
        "timestamp",
        "required_args",
        "optional_args",
        "result_video",
    }
    plain = json.loads(json.dumps(job.to_dict()))
    documented = {
        "job_id",
        "feature",
        "model",
        "provider",
        "generation",
        "creation_time",
        "last_updated",
        "error",
    }
    assert documented <= set(plain)
    assert plain["generation"] == job.generation


def test_generation_is_none_before_the_submission(fake_app: FakeApp) -> None:
    """A job that is stored and has met no provider has no run to tell of."""
    handle = JobHandle(make_job(), fake_app.tm.session)
    assert handle.generation is None
    assert handle.to_dict()["generation"] is None


def test_a_job_in_a_queue_has_been_handed_over(fake_app: FakeApp) -> None:
    """Its run can be asked for at once, as that of a remote provider: old scripts do."""
    handle = JobHandle(make_job(queue="local:here:auto", prompt="a fox"), fake_app.tm.session)
    assert handle.generation is not None
    assert handle.generation["status"] == "queued"
    assert handle.generation["required_args"]["prompt"] == handle.prompt == "a fox"


def test_waiting_follows_the_job_to_its_video(fake_app: FakeApp, job: JobHandle) -> None:
    """Each moment reaches the callable, and the video is there in the end."""
    seen: list[Progress] = []
    assert job.wait(poll=3, progress=seen.append) is job
    assert job.status == "completed"
    assert Path(job.result_video or "").is_file()
    assert [str(moment) for moment in seen] == ["denoising 1/3"]
    assert fake_app.clock.slept == [3]
    assert job.result() == Path(job.result_video or "")


def test_a_wait_ends_in_time_and_the_job_goes_on(fake_app: FakeApp, job: JobHandle) -> None:
    """The timeout is the wait's and not the job's."""
    fake_app.modal.runs[job.job_id].script = [JobStatus.RUNNING]
    with pytest.raises(JobTimeoutError, match=job.job_id) as caught:
        job.wait(timeout=5)
    assert isinstance(caught.value, TimeoutError)
    assert job.refresh().status == "running"


def test_wait_returns_a_failed_job_and_result_raises(fake_app: FakeApp, job: JobHandle) -> None:
    """``wait`` says how it ended; ``result`` promises a video."""
    fake_app.modal.failure = GenerationError("out of paint")
    assert job.wait().status == "failed"
    with pytest.raises(JobExecutionError, match="out of paint"):
        job.result()


def test_cancel_stores_the_outcome(fake_app: FakeApp, job: JobHandle) -> None:
    """Canceling asks the provider, and the next look tells the end."""
    assert job.cancel().status == "canceling"
    assert job.refresh().status == "canceled"
    assert fake_app.modal.canceled == [job.job_id]
    with pytest.raises(JobExecutionError, match="without a video, canceled"):
        job.result()


def test_ctrl_c_in_a_wait_leaves_the_job_and_says_its_id(
    fake_app: FakeApp, job: JobHandle, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The traceback of the interrupt ends with how to go on."""
    # A clock whose sleep is interrupted stands for a person at the keyboard.
    monkeypatch.setattr(fake_app.clock, "sleep", _interrupt)
    with pytest.raises(KeyboardInterrupt) as caught:
        job.wait()
    assert job.job_id in caught.value.__notes__[0]
    assert fake_app.modal.canceled == []
    assert job.status == "queued"


def _interrupt(seconds: float) -> None:
    raise KeyboardInterrupt


def test_the_repr_says_what_matters(fake_app: FakeApp, job: JobHandle) -> None:
    """One line: id, what, where, how far."""
    assert repr(job) == (f"<JobHandle {job.job_id} text_to_video with {VACE} on modal: queued>")
    job.refresh()
    assert "running, denoising 1/3" in repr(job)
    job.wait()
    assert repr(job).endswith(f"completed, {job.result_video}>")


def test_two_handles_of_one_job_agree(fake_app: FakeApp, job: JobHandle, tmp_path: Path) -> None:
    """A handle is a view: another one sees what the first has brought home."""
    other = fake_app.tm.get_job(job.job_id)
    job.wait()
    assert other.status == "queued"
    assert other.refresh().to_dict() == job.to_dict()
    assert isinstance(fake_app.modal, FakeProvider)
