"""``AsyncTioMagic`` on a loop that must keep ticking, and ``tm`` under many threads."""

import asyncio
import inspect
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.facade.conftest import MODEL, FakeApp

from tiomagic import AsyncTioMagic, TioMagic
from tiomagic.errors import UnknownModelError
from tiomagic.wiring.provider_names import BUILT_IN_PROVIDERS
from tiomagic_domain.jobs.job import JobStatus

NOT_AWAITED = {"close", "override", "session", "settings"}
"""``aclose``, no way to share a block between tasks, the inner parts, and ``get_settings``."""


@pytest.fixture
def tm(fake_app: FakeApp) -> Iterator[TioMagic]:
    """``tm`` over the fake providers with the real clock, as a loop's sleep needs it."""
    providers = {"local": fake_app.local, "modal": fake_app.modal}
    made = TioMagic(overrides={"providers": providers, "media": fake_app.media}, provider="local")
    yield made
    made.close()


def test_it_has_the_methods_of_tm() -> None:
    """What can be called on ``tm`` can be awaited here, by the same name."""
    ours = {name for name in dir(TioMagic) if not name.startswith("_")} - NOT_AWAITED
    missing = {name for name in ours if not hasattr(AsyncTioMagic, name)}
    assert missing == set()
    assert all(inspect.iscoroutinefunction(getattr(AsyncTioMagic, name)) for name in ours)


def test_its_methods_take_what_those_of_tm_take() -> None:
    """All have the same parameters with the same defaults; those that are forwarded, the words."""
    names = [name for name in dir(TioMagic) if not name.startswith("_")]
    other = [
        name
        for name in set(names) - NOT_AWAITED
        if parameters_of(TioMagic, name) != parameters_of(AsyncTioMagic, name)
    ]
    assert other == []
    assert inspect.getdoc(AsyncTioMagic.convert) == inspect.getdoc(TioMagic.convert)


def parameters_of(kind: type, name: str) -> list[tuple[str, object]]:
    """Return the names and defaults of what a method takes."""
    taken = inspect.signature(getattr(kind, name)).parameters.values()
    return [(parameter.name, parameter.default) for parameter in taken]


def test_the_loop_ticks_and_answers_while_a_video_is_made(fake_app: FakeApp, tm: TioMagic) -> None:
    """With its only thread for videos blocked, questions are answered, and the job is canceled."""
    begun, answered = threading.Event(), threading.Event()

    def hold(step: int) -> None:
        begun.set()
        assert answered.wait(60)

    fake_app.local.during = hold

    async def live() -> tuple[str, list[str]]:
        mine = AsyncTioMagic(tm, runs=1)
        video = asyncio.ensure_future(mine.text_to_video(MODEL, prompt="a fox"))
        while not begun.is_set():  # noqa: ASYNC110 - set by a thread
            await asyncio.sleep(0.001)
        (job,) = await mine.list_jobs()
        looks = [(await mine.get_job(job.job_id)).status for _ in range(3)]
        answered.set()  # A blocked loop, or a question behind the video, would never come here.
        done = await video
        await mine.aclose()
        return done.status, looks

    status, looks = asyncio.run(live())
    assert status == "completed"
    assert len(looks) == 3


def test_a_cancelled_task_leaves_the_run(fake_app: FakeApp, tm: TioMagic) -> None:
    """The video is made although nobody waits for it any more; what had not begun never begins."""
    begun, go_on = threading.Event(), threading.Event()

    def hold(step: int) -> None:
        begun.set()
        assert go_on.wait(60)

    fake_app.local.during = hold

    async def give_up() -> None:
        async with AsyncTioMagic(tm, runs=1) as mine:
            first = asyncio.ensure_future(mine.text_to_video(MODEL, prompt="first"))
            while not begun.is_set():  # noqa: ASYNC110 - set by a thread
                await asyncio.sleep(0.001)
            second = asyncio.ensure_future(mine.text_to_video(MODEL, prompt="second"))
            await asyncio.sleep(0)
            first.cancel()
            second.cancel()
            assert [
                type(error) for error in await asyncio.gather(first, second, return_exceptions=True)
            ] == [asyncio.CancelledError] * 2
            go_on.set()

    asyncio.run(give_up())
    (job,) = tm.list_jobs()
    assert (job.status, job._job.arguments["prompt"]) == ("completed", "first")


def test_a_job_is_followed_labelled_and_deleted(fake_app: FakeApp, tm: TioMagic) -> None:
    """The whole life of a remote job without one blocking call."""

    async def live() -> tuple[list[str], list[str]]:
        async with AsyncTioMagic(tm) as mine:
            await mine.configure(provider="modal")
            assert (await mine.get_settings()).provider == "modal"
            job = await mine.text_to_video(prompt="a fox")
            told = [event.status async for event in mine.events(job.job_id, poll=0)]
            await mine.call(job.tag, "keep")
            found = await mine.list_jobs(tag="keep")
            other = await mine.text_to_video(prompt="a fox")
            assert (await mine.wait(other.job_id, poll=0)).status == "completed"
            assert await mine.delete_job(other.job_id, files=True) != []
            assert await mine.export_jobs("jobs.json") == 1
            with pytest.raises(UnknownModelError):
                await mine.text_to_video("nothing", prompt="a fox")
            return told, [one.job_id for one in found if one.job_id == job.job_id]

    told, found = asyncio.run(live())
    assert told == ["running", "completed"]
    assert len(found) == 1


def test_its_own_instance_is_closed_with_it(tmp_path: Path) -> None:
    """Settings may be given as to ``TioMagic``; both at once are refused."""

    async def ask() -> list[str]:
        async with AsyncTioMagic(working_dir=tmp_path, provider="local") as mine:
            return await mine.get_providers()

    assert asyncio.run(ask()) == list(BUILT_IN_PROVIDERS)
    with pytest.raises(TypeError, match="provider"):
        AsyncTioMagic(TioMagic(), provider="local")


def test_many_threads_lose_nothing(fake_app: FakeApp) -> None:
    """Submitting, configuring, tagging and listing at once: every job is there with its words."""
    tm, gate = fake_app.tm, threading.Barrier(6)
    tm.configure(provider="modal")

    def work(number: int) -> list[str]:
        gate.wait(60)
        made = []
        for turn in range(3):
            tm.configure(gpu=f"H100:{number + 1}")
            job = tm.text_to_video(prompt=f"fox {number} {turn}").tag(f"thread {number}")
            made.append(job.job_id)
            assert job.job_id in {found.job_id for found in tm.list_jobs(limit=None)}
        return made

    with ThreadPoolExecutor(6) as pool:
        made = list(pool.map(work, range(6)))
    for number, ids in enumerate(made):
        assert {job.job_id for job in tm.list_jobs(tag=f"thread {number}")} == set(ids)
    everything = [job_id for ids in made for job_id in ids]
    assert len(set(everything)) == 18
    assert {run.job.job_id for run in fake_app.modal.runs.values()} == set(everything)
    assert {job.status for job in tm.list_jobs(limit=None)} == {JobStatus.QUEUED}
