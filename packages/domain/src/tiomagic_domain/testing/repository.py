"""A job repository in memory, and the contract that every job repository keeps."""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest

from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, StaleJobError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs import Job, JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.progress import Phase, Progress

NOON = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
"""When the jobs of ``make_job`` are created unless told otherwise."""


def make_job(*, prompt: str = "a fox runs", **fields: Any) -> Job:
    """Return a queued job with a fresh id; ``fields`` replace those of the job."""
    given: dict[str, Any] = {
        "job_id": str(uuid.uuid4()),
        "feature": Feature.TEXT_TO_VIDEO,
        "model": "wan2.1-t2v-1.3b",
        "provider": "local",
        "creation_time": NOON,
        "last_updated": fields.get("creation_time", NOON),
        "required_args": {"prompt": prompt},
        "optional_args": {"seed": 7},
    }
    return Job(**(given | fields))


class MemoryJobRepository:
    """Keeps jobs in a dict. Thread-safe, and gone with the process.

    Attributes:
        jobs: The stored states by id, for tests to look at.
    """

    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self._lock = threading.Lock()

    def add(self, job: Job) -> None:
        """Store a new job."""
        stored = _frozen(job)
        with self._lock:
            if job.job_id in self.jobs:
                raise ProcessingError(f"job {job.job_id!r} is stored already")
            self.jobs[job.job_id] = stored

    def get(self, job_id: str) -> Job:
        """Return the newest stored state of a job."""
        with self._lock:
            return _frozen(self._find(job_id))

    def save(self, job: Job) -> Job:
        """Store a changed job if nobody has saved it since it was read."""
        stored = replace(_frozen(job), version=job.version + 1)
        with self._lock:
            if self._find(job.job_id).version != job.version:
                raise StaleJobError(f"job {job.job_id!r} has been changed since it was read")
            self.jobs[job.job_id] = stored
        return replace(job, version=stored.version)

    def list(self, query: JobQuery) -> list[Job]:
        """Return the jobs that match, newest first."""
        with self._lock:
            last = None if query.after is None else _age(self._find(query.after))
            jobs = sorted(self.jobs.values(), key=_age, reverse=True)
        found = [job for job in jobs if _matches(job, query)]
        if last is not None:
            found = [job for job in found if _age(job) < last]
        return [_frozen(job) for job in found[: query.limit]]

    def _find(self, job_id: str) -> Job:
        if job_id not in self.jobs:
            raise ResourceNotFoundError(f"there is no job {job_id!r}")
        return self.jobs[job_id]


def _age(job: Job) -> tuple[datetime, str]:
    return job.creation_time, job.job_id


def _plain(data: Mapping[str, Any]) -> dict[str, Any]:
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(data)))
    except (TypeError, ValueError) as error:
        raise ProcessingError(f"a job holds what is not plain data: {error}") from error
    return copy


def _frozen(job: Job) -> Job:
    """Return a copy that shares no mutable part, as a database would give it."""
    return replace(
        job,
        required_args=_plain(job.required_args),
        optional_args=_plain(job.optional_args),
        facts=_plain(job.facts),
    )


def _ascii_lower(text: str) -> str:
    return "".join(c.lower() if c.isascii() else c for c in text)


def _matches(job: Job, query: JobQuery) -> bool:
    prompt = _ascii_lower(str(job.required_args.get("prompt", "")))
    return (
        (query.status is None or job.status in query.status)
        and query.feature in {None, job.feature}
        and query.model in {None, job.model}
        and query.provider in {None, job.provider}
        and (query.text is None or _ascii_lower(query.text) in prompt)
        and (query.since is None or job.creation_time >= query.since)
        and (query.until is None or job.creation_time < query.until)
    )


def _ids(jobs: list[Job]) -> list[str]:
    return [job.job_id for job in jobs]


class JobRepositoryContract:
    """What every job repository does. Subclass it with a fixture ``repository``, empty at first."""

    def test_what_is_added_comes_back_whole(self, repository: JobRepository) -> None:
        """Every field of a job survives the store."""
        job = make_job(
            prompt="ein Füchslein 🦊\nläuft",
            status=JobStatus.RUNNING,
            optional_args={"seed": 2**32 - 1, "guidance_scale": 5.5, "tags": [1, None, True]},
            call_id="call-1",
            message="busy",
            progress=Progress(phase=Phase.DENOISING, step=3, steps=30),
            result_video="/videos/a b.mp4",
            error="broke",
            error_code="generation",
            facts={"device": "cpu", "seconds": {"loading": 1.25}},
            last_updated=NOON + timedelta(microseconds=1),
        )
        repository.add(job)
        assert repository.get(job.job_id) == job

    def test_times_come_back_with_a_zone(self, repository: JobRepository) -> None:
        """A time that comes out of the store knows its zone."""
        job = make_job()
        repository.add(job)
        stored = repository.get(job.job_id)
        assert stored.creation_time.tzinfo is not None
        assert stored.last_updated.tzinfo is not None

    def test_the_same_id_is_stored_once(self, repository: JobRepository) -> None:
        """A second job of the same id is refused and the first one stays."""
        job = make_job(prompt="first")
        repository.add(job)
        with pytest.raises(ProcessingError, match=job.job_id):
            repository.add(replace(job, required_args={"prompt": "second"}))
        assert repository.get(job.job_id) == job

    def test_an_unknown_job_is_not_found(self, repository: JobRepository) -> None:
        """Reading and saving what was never added is an error that names the id."""
        with pytest.raises(ResourceNotFoundError, match="nobody"):
            repository.get("nobody")
        with pytest.raises(ResourceNotFoundError, match="nobody"):
            repository.save(make_job(job_id="nobody"))

    def test_what_is_not_plain_data_is_refused(self, repository: JobRepository) -> None:
        """An object that JSON does not know is an error, and nothing is stored."""
        job = make_job(facts={"device": object()})
        with pytest.raises(ProcessingError, match="plain data"):
            repository.add(job)
        with pytest.raises(ResourceNotFoundError):
            repository.get(job.job_id)

    def test_a_save_counts_the_version_up(self, repository: JobRepository) -> None:
        """A save returns what is now stored: the job with the next version."""
        job = make_job()
        repository.add(job)
        saved = repository.save(job.to(JobStatus.RUNNING, at=NOON, call_id="c"))
        assert (saved.version, saved.status, saved.call_id) == (2, JobStatus.RUNNING, "c")
        assert repository.get(job.job_id) == saved

    def test_a_stale_save_is_refused(self, repository: JobRepository) -> None:
        """Of two changes of the same state the second one is refused and changes nothing."""
        job = make_job()
        repository.add(job)
        saved = repository.save(job.note(at=NOON, message="first"))
        with pytest.raises(StaleJobError):
            repository.save(job.note(at=NOON, message="second"))
        assert repository.get(job.job_id) == saved

    def test_a_save_from_the_future_is_refused(self, repository: JobRepository) -> None:
        """A version that was never stored does not win either."""
        job = make_job()
        repository.add(job)
        with pytest.raises(StaleJobError):
            repository.save(replace(job, version=2))
        assert repository.get(job.job_id) == job

    def test_the_store_shares_nothing_with_its_callers(self, repository: JobRepository) -> None:
        """Changing a dict that was given or returned does not change what is stored."""
        facts = {"device": "cpu"}
        job = make_job(facts=facts)
        repository.add(job)
        facts["device"] = "changed"
        returned = repository.get(job.job_id).facts
        assert isinstance(returned, dict)
        returned["device"] = "changed"
        assert repository.get(job.job_id).facts == {"device": "cpu"}

    def test_the_newest_come_first(self, repository: JobRepository) -> None:
        """Jobs are listed by creation time, then id, whatever zone the times were told in."""
        east, west = timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))
        times = {
            "a": NOON,
            "b": NOON,
            "c": (NOON + timedelta(seconds=1)).astimezone(west),
            "d": (NOON - timedelta(microseconds=1)).astimezone(east),
        }
        for name, time in times.items():
            repository.add(make_job(job_id=name, creation_time=time))
        assert _ids(repository.list(JobQuery())) == ["c", "b", "a", "d"]

    def test_a_query_narrows(self, repository: JobRepository) -> None:
        """Each field of a query narrows by itself, and together they narrow further."""
        repository.add(make_job(job_id="a", model="m1", provider="modal"))
        repository.add(make_job(job_id="b", model="m2", status=JobStatus.FAILED))
        repository.add(make_job(job_id="c", feature=Feature.INTERPOLATE, model="m2"))
        expected = {
            JobQuery(model="m2"): ["c", "b"],
            JobQuery(provider="modal"): ["a"],
            JobQuery(feature=Feature.INTERPOLATE): ["c"],
            JobQuery(feature=Feature.INTERPOLATE, model="m1"): [],
            JobQuery(status=frozenset({JobStatus.FAILED})): ["b"],
            JobQuery(status=frozenset({JobStatus.FAILED, JobStatus.QUEUED})): ["c", "b", "a"],
            JobQuery(status=frozenset({JobStatus.FAILED, JobStatus.QUEUED}), limit=2): ["c", "b"],
            JobQuery(status=frozenset(JobStatus), model="m2"): ["c", "b"],
            JobQuery(status=frozenset()): [],
        }
        assert {query: _ids(repository.list(query)) for query in expected} == expected

    def test_text_is_looked_for_in_the_prompt(self, repository: JobRepository) -> None:
        """Text matches as it is, without wildcards, and ASCII case does not matter."""
        prompts = {
            "a": "100% Fox_Trot",
            "b": "100 foxes trot",
            "c": "C:\\fox",
            "d": "it's /a/ fox",
            "e": "Öl",
        }
        for name, prompt in prompts.items():
            repository.add(make_job(job_id=name, prompt=prompt, model="owl"))
        repository.add(make_job(job_id="none", required_args={}))
        expected = {
            "FOX": ["d", "c", "b", "a"],
            "0%": ["a"],
            "x_t": ["a"],
            "\\": ["c"],
            "/": ["d"],
            "'": ["d"],
            "Ö": ["e"],
            "owl": [],
        }
        assert {text: _ids(repository.list(JobQuery(text=text))) for text in expected} == expected

    def test_a_time_range_is_half_open(self, repository: JobRepository) -> None:
        """``since`` is included and ``until`` is not, so that ranges can be joined."""
        for hour in range(4):
            repository.add(make_job(job_id=str(hour), creation_time=NOON + timedelta(hours=hour)))
        tokyo = timezone(timedelta(hours=9))
        since = (NOON + timedelta(hours=1)).astimezone(tokyo)
        until = NOON + timedelta(hours=3)
        assert _ids(repository.list(JobQuery(since=since, until=until))) == ["2", "1"]

    def test_a_limit_bounds(self, repository: JobRepository) -> None:
        """At most so many are listed; None lists all."""
        for number in range(60):
            repository.add(make_job(creation_time=NOON + timedelta(seconds=number)))
        sizes = [len(repository.list(JobQuery(limit=limit))) for limit in (0, 1, 50, None)]
        assert sizes == [0, 1, 50, 60]

    def test_pages_cover_everything_once(self, repository: JobRepository) -> None:
        """Paging through jobs, many of the same moment, meets each job exactly once."""
        for number in range(11):
            repository.add(
                make_job(
                    job_id=f"{number:02}",
                    creation_time=NOON + timedelta(seconds=number // 4),
                    status=JobStatus.FAILED if number % 3 else JobStatus.QUEUED,
                )
            )
        for status in (None, frozenset({JobStatus.FAILED, JobStatus.QUEUED})):
            seen: list[str] = []
            page = repository.list(JobQuery(status=status, limit=3))
            while page:
                seen += _ids(page)
                page = repository.list(JobQuery(status=status, limit=3, after=seen[-1]))
            assert seen == [f"{number:02}" for number in reversed(range(11))]

    def test_a_page_starts_after_any_job(self, repository: JobRepository) -> None:
        """The job that a page starts after need not match; one that is not there is an error."""
        repository.add(make_job(job_id="a", model="m1"))
        repository.add(make_job(job_id="b", model="m2"))
        assert _ids(repository.list(JobQuery(model="m1", after="b"))) == ["a"]
        with pytest.raises(ResourceNotFoundError, match="gone"):
            repository.list(JobQuery(after="gone"))

    def test_threads_lose_no_update(self, repository: JobRepository) -> None:
        """Threads that count in one job reach the sum, since a stale save is refused."""
        job = make_job(facts={"count": 0})
        repository.add(job)

        def count_up(_: int) -> None:
            while True:
                seen = repository.get(job.job_id)
                try:
                    repository.save(seen.note(at=NOON, facts={"count": seen.facts["count"] + 1}))
                except StaleJobError:
                    continue
                return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(count_up, range(20)))
        stored = repository.get(job.job_id)
        assert (stored.facts["count"], stored.version) == (20, 21)
