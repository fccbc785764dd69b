"""Only type-checked: the shapes that users and adapter writers rely on.

mypy reads the functions below; nothing runs them.
"""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import assert_type

from tiomagic import AsyncTioMagic, JobEvent, JobHandle, TioMagic
from tiomagic.results.recipe_diff import Difference
from tiomagic.types import AnyModel
from tiomagic_domain.progress import Progress


def show(moment: Progress) -> None:
    """A callback names its argument as it likes."""


def following(tm: TioMagic) -> None:
    """A call returns a handle, and a handle tells what happens."""
    job = tm.text_to_video(prompt="a fox", wait=False, retry=1, on_progress=show)
    assert_type(job, JobHandle)
    assert_type(job.wait(5, poll=1.0, on_progress=show, cancel_on_timeout=True), JobHandle)
    assert_type(job.events(timeout=5), Iterator[JobEvent])
    assert_type(job.events_async(), AsyncIterator[JobEvent])
    for event in job.events():
        assert_type(event.eta_s, float | None)
        assert_type(event.job, JobHandle)
    assert_type(job.differences, list[Difference])


def moving(tm: TioMagic) -> None:
    """Only a model that needs no picture is called without one."""
    tm.pose_guidance("cogvideox-fun-5b-pose", prompt="a fox", pose_video="a.mp4")
    tm.pose_guidance(model="cogvideox-fun-5b-pose", prompt="a fox", guiding_video="a.mp4")
    tm.pose_guidance(model="cogvideox-fun-5b-pose", prompt="a fox", image="f.png", pose_video="a")
    tm.pose_guidance(AnyModel("mine"), prompt="a fox", pose_video="a.mp4")
    tm.pose_guidance("doodle", prompt="a fox", image="f.png", guiding_video="a.mp4", seed=1)
    tm.pose_guidance("doodle", prompt="a fox", pose_video="a.mp4")  # type: ignore[call-overload]
    tm.pose_guidance(prompt="a fox", pose_video="a.mp4")  # type: ignore[call-overload]
    tm.pose_guidance("cogvideox-fun-5b-pose", prompt="a fox")  # type: ignore[call-overload]


def keeping(tm: TioMagic, job: JobHandle) -> None:
    """Filters are checked by name and type."""
    assert_type(job.tag("a", "b").untag("a").set_note("mine"), JobHandle)
    assert_type(tm.list_jobs(tag="a", status=["failed"], limit=None), list[JobHandle])
    tm.list_jobs(tags="a")  # type: ignore[call-arg]
    tm.list_jobs(limit="all")  # type: ignore[arg-type]
    assert_type(tm.export_jobs("jobs.csv", text="fox"), int)
    assert_type(tm.delete_job(job.job_id, files=True), list[Path])
    assert_type(tm.recover(), list[JobHandle])


async def serving(tm: AsyncTioMagic) -> None:
    """What is awaited has the type of what ``tm`` returns."""
    job = await tm.image_to_video(prompt="a fox", image="fox.png")
    assert_type(job, JobHandle)
    assert_type(await job.wait_async(cancel_on_timeout=True), JobHandle)
    assert_type(await tm.wait(job.job_id, on_progress=show), JobHandle)
    async for event in tm.events(job.job_id):
        assert_type(event, JobEvent)
    assert_type(await tm.list_jobs(tag="a"), list[JobHandle])
    assert_type(await tm.call(job.tag, "keep"), JobHandle)
    await tm.list_jobs(tags="a")  # type: ignore[call-arg]
