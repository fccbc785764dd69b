"""The use cases on stored jobs."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tiomagic_domain.errors import ResourceNotFoundError, ValidationError
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.testing import FakeClock, FakeOutputStore, MemoryJobRepository, make_job
from tiomagic_domain.testing.outputs import make_video
from tiomagic_domain.usecases.archive import PAGE, Archive


class ArchiveParts:
    """An archive and what it stands on."""

    def __init__(self, folder: Path) -> None:
        self.repository = MemoryJobRepository()
        self.outputs = FakeOutputStore(folder)
        self.clock = FakeClock()
        self.told: list[Job] = []
        self.archive = Archive(
            repository=self.repository,
            outputs=self.outputs,
            clock=self.clock,
            on_change=self.told.append,
        )

    def store(self, **fields) -> Job:
        job = make_job(**fields)
        self.repository.add(job)
        return job


@pytest.fixture
def archive_parts(tmp_path: Path) -> ArchiveParts:
    return ArchiveParts(tmp_path / "videos")


def test_tags_join_what_is_there(archive_parts: ArchiveParts) -> None:
    """Tags are added and taken away by name, each once; the note is as it was."""
    job = archive_parts.store(tags=("old",), note="mine", status=JobStatus.COMPLETED)
    archive_parts.clock.advance(60)
    labelled = archive_parts.archive.label(
        job.job_id, add=["fox", " old ", "snow"], remove=["nothing"]
    )
    assert labelled.tags == ("old", "fox", "snow")
    assert (labelled.note, labelled.status) == ("mine", JobStatus.COMPLETED)
    assert labelled.last_updated == archive_parts.clock.now()
    assert archive_parts.archive.label(job.job_id, remove=["old ", "snow"]).tags == ("fox",)
    assert archive_parts.archive.label(job.job_id, note="").note == ""
    assert [told.tags for told in archive_parts.told] == [
        ("old", "fox", "snow"),
        ("fox",),
        ("fox",),
    ]


def test_a_waiting_job_is_moved_to_the_front(archive_parts: ArchiveParts) -> None:
    """Each time before the one that was the first; the first itself stays as it is."""
    first, second, third = (
        archive_parts.store(
            job_id=name,
            queue="local:gpu",
            creation_time=archive_parts.clock.now() + timedelta(seconds=number),
        )
        for number, name in enumerate("abc")
    )
    archive_parts.store(job_id="other", queue="local:cpu", priority=9)
    run_next = archive_parts.archive.run_next
    assert run_next(first.job_id) == first
    assert run_next(third.job_id).priority == 1
    assert run_next(second.job_id).priority == 2
    assert run_next(second.job_id).priority == 2
    waiting = JobQuery(queue="local:gpu", next_first=True)
    assert [job.job_id for job in archive_parts.repository.list(waiting)] == ["b", "c", "a"]


@pytest.mark.parametrize(
    ("fields", "why"),
    [
        ({"queue": "local:gpu", "status": JobStatus.RUNNING}, "is running already"),
        ({"queue": "local:gpu", "status": JobStatus.FAILED}, "is failed: rerun it"),
        ({"provider": "modal"}, "waits at modal, which keeps its own order"),
    ],
)
def test_only_a_job_of_a_queue_is_moved(
    archive_parts: ArchiveParts, fields: dict[str, Any], why: str
) -> None:
    """The error says why, and what to do instead."""
    job = archive_parts.store(**fields)
    with pytest.raises(ValidationError, match=why) as refused:
        archive_parts.archive.run_next(job.job_id)
    assert refused.value.code == "job_not_waiting"
    assert archive_parts.repository.get(job.job_id) == job


def test_words_that_are_there_already_change_nothing(archive_parts: ArchiveParts) -> None:
    """No version is used up, and nobody is told."""
    job = archive_parts.store(tags=("fox",), note="mine")
    archive_parts.clock.advance(60)
    same = archive_parts.archive.label(job.job_id, add=["fox"], remove=["cat"], note="mine")
    assert same == job
    assert archive_parts.told == []


def test_a_tag_that_is_refused_changes_nothing(archive_parts: ArchiveParts) -> None:
    """An empty tag is named, and the others are not stored either."""
    job = archive_parts.store()
    with pytest.raises(ValidationError, match="tags"):
        archive_parts.archive.label(job.job_id, add=["fine", " "])
    assert archive_parts.repository.get(job.job_id).tags == ()
    with pytest.raises(ResourceNotFoundError):
        archive_parts.archive.label("nothing", add=["fine"])


def test_tags_of_many_writers_are_all_kept(archive_parts: ArchiveParts) -> None:
    """Each of several threads finds its own tag afterwards."""
    job = archive_parts.store()
    gate = threading.Barrier(6)

    def write(number: int) -> None:
        gate.wait(60)
        archive_parts.archive.label(job.job_id, add=[f"tag {number}"])

    threads = [threading.Thread(target=write, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert set(archive_parts.repository.get(job.job_id).tags) == {
        f"tag {number}" for number in range(6)
    }


def test_every_job_is_given_once_whatever_the_page(archive_parts: ArchiveParts) -> None:
    """All that match come in order, over the borders of pages, and never more than asked for."""
    first = make_job()
    jobs = [
        replace(make_job(), creation_time=first.creation_time + timedelta(seconds=second))
        for second in range(PAGE + 3)
    ]
    for job in jobs:
        archive_parts.repository.add(job)
    newest = [job.job_id for job in reversed(jobs)]
    everything = JobQuery(limit=None)
    assert [job.job_id for job in archive_parts.archive.each(everything)] == newest
    some = JobQuery(limit=PAGE + 1, oldest_first=True)
    assert [job.job_id for job in archive_parts.archive.each(some)] == newest[:1:-1][: PAGE + 1]
    assert list(archive_parts.archive.each(JobQuery(limit=0))) == []


@pytest.mark.parametrize("oldest_first", [False, True])
def test_a_page_whose_end_is_deleted_stops_nothing(
    archive_parts: ArchiveParts, *, oldest_first: bool
) -> None:
    """The jobs that are left come, each once, also those of the very moment of the deleted one."""
    first = make_job()
    jobs = [
        replace(make_job(), creation_time=first.creation_time + timedelta(seconds=number // 3))
        for number in range(PAGE + 9)
    ]
    for job in jobs:
        archive_parts.repository.add(job)
    jobs.sort(key=lambda job: (job.creation_time, job.job_id), reverse=not oldest_first)
    given = []
    for job in archive_parts.archive.each(JobQuery(limit=PAGE + 6, oldest_first=oldest_first)):
        given.append(job)
        if len(given) == PAGE:
            archive_parts.repository.delete(job.job_id)
    assert [job.job_id for job in given] == [job.job_id for job in jobs[: PAGE + 6]]


@pytest.mark.parametrize("status", [status for status in JobStatus if not status.is_terminal])
def test_a_job_that_is_not_over_is_not_deleted(
    archive_parts: ArchiveParts, status: JobStatus
) -> None:
    """The error says what to do, and the job is there."""
    job = archive_parts.store(status=status)
    with pytest.raises(ValidationError, match="cancel it first") as caught:
        archive_parts.archive.delete(job.job_id, files=True)
    assert caught.value.code == "job_not_over"
    assert archive_parts.repository.get(job.job_id) == job


def test_a_deleted_job_takes_its_files_when_told(
    archive_parts: ArchiveParts, tmp_path: Path
) -> None:
    """Without ``files`` the video stays; with it the video and its recipe are gone."""
    for files in (False, True):
        job = archive_parts.store(status=JobStatus.COMPLETED)
        path = archive_parts.outputs.save(job, make_video(tmp_path / "spool"))
        deleted = archive_parts.archive.delete(job.job_id, files=files)
        assert path.exists() is not files
        assert deleted == ([path, path.with_suffix(".json")] if files else [])
        with pytest.raises(ResourceNotFoundError):
            archive_parts.repository.get(job.job_id)
        assert archive_parts.told[-1] == job
