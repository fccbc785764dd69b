"""Following a job: events with a measured pace, callbacks, and waits that do not block a loop."""

import asyncio
import threading
from collections.abc import Iterator

import pytest
from tests.facade.conftest import FakeApp

from tiomagic import JobEvent, JobHandle, TioMagic
from tiomagic.errors import GenerationError, JobTimeoutError, ValidationError
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.progress import EtaEstimator, Phase, Progress
from tiomagic_domain.testing import FakeClock

R, C = JobStatus.RUNNING, JobStatus.COMPLETED


@pytest.fixture
def job(fake_app: FakeApp) -> JobHandle:
    """A queued job on a remote provider."""
    fake_app.tm.configure(provider="modal")
    return fake_app.tm.text_to_video(prompt="a fox")


@pytest.fixture
def timeless(fake_app: FakeApp) -> Iterator[TioMagic]:
    """``tm`` over the same providers with the real clock, as a loop's sleep needs it."""
    providers = {"local": fake_app.local, "modal": fake_app.modal}
    with TioMagic(
        provider="modal", overrides={"providers": providers, "media": fake_app.media}
    ).override() as tm:
        yield tm
    tm.close()


def steps(*numbers: int, of: int = 10) -> list[Progress]:
    return [Progress(phase=Phase.DENOISING, step=step, steps=of) for step in numbers]


def test_the_rest_is_computed_from_the_steps_that_were_seen() -> None:
    """Two steps in eight seconds leave 28 s for the seven that follow, and less as time passes."""
    clock = FakeClock()
    pace = EtaEstimator(clock.monotonic)
    first, third = steps(1, 3)
    assert pace.eta_s(first) is None  # One moment has no pace.
    clock.advance(8)
    assert pace.eta_s(third) == pytest.approx(7 * 4)
    clock.advance(3)
    assert pace.eta_s(third) == pytest.approx(7 * 4 - 3)
    clock.advance(1000)
    assert pace.eta_s(third) == 0


def test_the_pace_of_a_phase_is_its_own() -> None:
    """A phase, a run that begins again, and a phase without a count all start afresh."""
    clock = FakeClock()
    pace = EtaEstimator(clock.monotonic)
    for moment in steps(0, 5):
        pace.eta_s(moment)
        clock.advance(1)
    assert pace.eta_s(Progress(phase=Phase.DECODING, step=6, steps=10)) is None
    clock.advance(1)
    assert pace.eta_s(Progress(phase=Phase.DECODING, step=8, steps=10)) == pytest.approx(1)
    (again,) = steps(2)
    assert pace.eta_s(again) is None
    assert pace.eta_s(Progress(phase=Phase.LOADING)) is None
    assert pace.eta_s(None) is None


def test_events_tell_each_change_once(fake_app: FakeApp, job: JobHandle) -> None:
    """The state it is in, the first step, the end; a look that finds nothing new is no event."""
    fake_app.modal.runs[job.job_id].script = [JobStatus.QUEUED, R, R, R, C]
    told = list(job.events(poll=4))
    assert [event.status for event in told] == ["queued", "running", "completed"]
    assert [(event.phase, event.step, event.steps) for event in told[:2]] == [
        (None, 0, 0),
        ("denoising", 1, 3),
    ]
    assert [event.finished for event in told] == [False, False, True]
    assert told[-1].job.result().is_file()
    assert fake_app.clock.slept == [4] * 4
    assert [str(event) for event in told] == ["queued", "running: denoising 1/3", "completed"]


def test_an_event_has_the_time_that_is_left(job: JobHandle) -> None:
    """The line for a person ends with it."""
    event = JobEvent(
        status="running", phase="denoising", step=3, steps=30, eta_s=40.6, message="", job=job
    )
    assert str(event) == "running: denoising 3/30, 41 s left"


def test_events_end_in_time_and_refuse_nonsense(fake_app: FakeApp, job: JobHandle) -> None:
    """The timeout is the reader's and not the job's; a poll below 0 is refused."""
    fake_app.modal.runs[job.job_id].script = [R]
    with pytest.raises(JobTimeoutError):
        list(job.events(timeout=5))
    assert job.refresh().status == "running"
    with pytest.raises(ValidationError, match="poll"):
        next(job.events(poll=-1))


def test_on_progress_is_told_whatever_is_shown(
    fake_app: FakeApp, job: JobHandle, capsys: pytest.CaptureFixture[str]
) -> None:
    """Lines on stderr and the callable both get every moment, of a wait and of a local run."""
    seen: list[str] = []
    job.wait(progress=True, on_progress=lambda moment: seen.append(str(moment)))
    assert seen == ["denoising 1/3"]
    fake_app.tm.configure(provider="local")
    fake_app.tm.text_to_video(prompt="a fox", on_progress=lambda moment: seen.append(str(moment)))
    assert seen[1:] == [f"denoising {step}/3" for step in range(4)]
    assert "denoising 1/3" in capsys.readouterr().err


def test_on_progress_may_end_a_run(fake_app: FakeApp) -> None:
    """What the callable raises reaches the caller, and the job is stored as failed."""
    fake_app.tm.configure(provider="local")

    def stop(moment: Progress) -> None:
        raise RuntimeError("seen enough")

    with pytest.raises(RuntimeError, match="seen enough"):
        fake_app.tm.text_to_video(prompt="a fox", on_progress=stop)
    assert [job.status for job in fake_app.tm.list_jobs()] == ["failed"]


def test_a_wait_may_cancel_what_takes_too_long(fake_app: FakeApp, job: JobHandle) -> None:
    """With ``cancel_on_timeout`` the job was asked to stop, and the error says so."""
    fake_app.modal.runs[job.job_id].script = [R]
    with pytest.raises(JobTimeoutError, match="asked to stop; it is canceling now"):
        job.wait(timeout=5, cancel_on_timeout=True)
    assert fake_app.modal.canceled == [job.job_id]
    assert job.refresh().status == "canceled"


def test_a_video_that_came_at_the_last_moment_is_no_timeout(
    fake_app: FakeApp, job: JobHandle
) -> None:
    """A stop that came too late leaves a finished job, which is what was waited for."""
    fake_app.modal.runs[job.job_id].script = [R]

    # The run ends while the last look's answer is on its way.
    def late(moment: Progress) -> None:
        fake_app.clock.advance(5)
        fake_app.modal.finish(job.job_id)

    assert job.wait(timeout=5, cancel_on_timeout=True, on_progress=late).status == "completed"


def test_wait_async_follows_to_the_end_with_its_callback(timeless: TioMagic) -> None:
    """The awaited job is over, and each moment was told."""
    job = timeless.text_to_video(prompt="a fox")
    seen: list[str] = []
    done = asyncio.run(job.wait_async(poll=0, on_progress=lambda moment: seen.append(str(moment))))
    assert done is job
    assert job.status == "completed"
    assert seen == ["denoising 1/3"]


def test_wait_async_ends_in_time(fake_app: FakeApp, timeless: TioMagic) -> None:
    """A timeout leaves the job, or stops it when that is wanted; a failed job is returned."""
    job = timeless.text_to_video(prompt="a fox")
    fake_app.modal.runs[job.job_id].script = [R]
    with pytest.raises(JobTimeoutError, match="it goes on"):
        asyncio.run(job.wait_async(0.01, poll=0.01))
    assert fake_app.modal.canceled == []
    with pytest.raises(JobTimeoutError, match="asked to stop"):
        asyncio.run(job.wait_async(0.01, poll=0.01, cancel_on_timeout=True))
    assert job.refresh().status == "canceled"
    fake_app.modal.failure = GenerationError("out of paint")
    failed = timeless.text_to_video(prompt="a fox")
    assert asyncio.run(failed.wait_async(poll=0)).error == "out of paint"


def test_events_async_tells_the_same(timeless: TioMagic) -> None:
    """``async for`` gives the events of ``for``."""
    job = timeless.text_to_video(prompt="a fox")

    async def follow() -> list[str]:
        return [event.status async for event in job.events_async(poll=0)]

    assert asyncio.run(follow()) == ["running", "completed"]


def test_the_loop_goes_on_while_a_look_blocks(
    fake_app: FakeApp, timeless: TioMagic, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a provider does not answer, the loop runs; and it is the loop that lets it answer."""
    job = timeless.text_to_video(prompt="a fox")
    asked, answer = threading.Event(), threading.Event()
    poll = fake_app.modal.poll

    def slow(stored):
        asked.set()
        assert answer.wait(60)
        return poll(stored)

    # A provider that answers when the loop says so stands for a slow network.
    monkeypatch.setattr(fake_app.modal, "poll", slow)

    async def live() -> str:
        waiting = asyncio.ensure_future(job.wait_async(poll=0))
        while not asked.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.001)
        answer.set()  # A blocked loop would never come here.
        return (await waiting).status

    assert asyncio.run(live()) == "completed"


def test_a_cancelled_await_leaves_the_job(fake_app: FakeApp, timeless: TioMagic) -> None:
    """Calling off the wait calls off nothing else."""
    job = timeless.text_to_video(prompt="a fox")
    fake_app.modal.runs[job.job_id].script = [R]

    async def give_up() -> None:
        waiting = asyncio.ensure_future(job.wait_async(poll=3600))
        while not fake_app.modal.polled:  # noqa: ASYNC110 - filled by a thread
            await asyncio.sleep(0.001)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(give_up())
    assert fake_app.modal.canceled == []
    assert job.refresh().status == "running"
