"""The contract that every job repository keeps."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta, timezone

import pytest

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError, ResourceNotFoundError, StaleJobError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.progress import Phase, Progress
from tiomagic_domain.testing.contracts.job_queues import JobQueueContract, ids_of
from tiomagic_domain.testing.repository import NOON, make_job


class JobRepositoryContract(JobQueueContract):
    """What every job repository does. Subclass it with a fixture ``repository``, empty at first."""

    def test_what_is_added_comes_back_whole(self, repository: JobRepository) -> None:
        """Every field of a job survives the store."""
        job = make_job(
            prompt="ein Füchslein 🦊\nläuft",
            status=JobStatus.RUNNING,
            optional_args={"seed": 2**32 - 1, "guidance_scale": 5.5, "tags": [1, None, True]},
            chosen=Choices(names=("prompt", "seed"), sizes={"seconds": 3.5, "aspect": "16:9"}),
            call_id="call-1",
            message="busy",
            progress=Progress(phase=Phase.DENOISING, step=3, steps=30),
            result_video="/videos/a b.mp4",
            error="broke",
            error_code="generation",
            queue="local:studio:cuda:0",
            priority=4,
            retry=2,
            attempt=3,
            tags=("Fuchs 🦊", 'it\'s, "quoted"'),
            note="two\nlines",
            started_at=NOON + timedelta(microseconds=2),
            ended_at=NOON + timedelta(hours=1),
            idempotency_key="order 7/Füchslein",
            facts={"device": "cpu", "seconds": {"loading": 1.25}},
            last_updated=NOON + timedelta(microseconds=1),
        )
        repository.add(job)
        assert repository.get(job.job_id) == job

    def test_times_come_back_with_a_zone(self, repository: JobRepository) -> None:
        """A time that comes out of the store knows its zone."""
        job = make_job(started_at=NOON, ended_at=NOON)
        repository.add(job)
        stored = repository.get(job.job_id)
        times = (stored.creation_time, stored.last_updated, stored.started_at, stored.ended_at)
        assert all(time is not None and time.tzinfo is not None for time in times)

    def test_the_beginning_of_an_id_finds_its_jobs(self, repository: JobRepository) -> None:
        """Characters that mean something in a pattern are only characters."""
        for job_id in ("2a8a-1", "2a8b-2", "2a%_-3", "12a8-4"):
            repository.add(make_job(job_id=job_id))
        found = {
            start: sorted(job.job_id for job in repository.list(JobQuery(id_prefix=start)))
            for start in ("2a8", "2a8a", "2a%", "2a_", "9")
        }
        assert found == {
            "2a8": ["2a8a-1", "2a8b-2"],
            "2a8a": ["2a8a-1"],
            "2a%": ["2a%_-3"],
            "2a_": [],
            "9": [],
        }
        assert repository.count(JobQuery(id_prefix="2a8")) == 2

    def test_an_idempotency_key_is_stored_once(self, repository: JobRepository) -> None:
        """A second job with a key is refused; jobs without one are not, and a deleted one frees it.

        The key finds its job alone, and survives its changes.
        """
        first = make_job(job_id="first", idempotency_key="order-7")
        repository.add(first)
        repository.add(make_job(job_id="other", idempotency_key="ORDER-7"))
        for number in range(2):
            repository.add(make_job(job_id=f"none-{number}"))
        with pytest.raises(ProcessingError) as caught:
            repository.add(make_job(job_id="second", idempotency_key="order-7"))
        assert caught.value.code == ErrorCode.KEY_TAKEN
        repository.save(replace(first, message="busy"))
        query = JobQuery(idempotency_key="order-7")
        assert ids_of(repository.list(query)) == ["first"]
        assert ids_of(repository.list(replace(query, text="fox runs"))) == ["first"]
        assert repository.count(query) == 1
        repository.delete("first")
        repository.add(make_job(job_id="second", idempotency_key="order-7"))
        assert ids_of(repository.list(query)) == ["second"]

    def test_of_many_with_one_key_one_is_stored(self, repository: JobRepository) -> None:
        """However many add a job with one key at once, one has it and the others hear so."""

        def add(number: int) -> str | None:
            try:
                repository.add(make_job(job_id=str(number), idempotency_key="order-7"))
            except ProcessingError as error:
                return error.code
            return None

        with ThreadPoolExecutor(8) as pool:
            codes = list(pool.map(add, range(16)))
        assert sorted(code or "" for code in codes) == ["", *[ErrorCode.KEY_TAKEN] * 15]
        assert repository.count(JobQuery(idempotency_key="order-7")) == 1

    def test_the_same_id_is_stored_once(self, repository: JobRepository) -> None:
        """A second job of the same id is refused and the first one stays."""
        job = make_job(prompt="first")
        repository.add(job)
        with pytest.raises(ProcessingError, match=job.job_id):
            repository.add(replace(job, required_args={"prompt": "second"}))
        assert repository.get(job.job_id) == job

    def test_an_unknown_job_is_not_found(self, repository: JobRepository) -> None:
        """Reading, deleting and saving what was never added is an error that names the id."""
        with pytest.raises(ResourceNotFoundError, match="unknown"):
            repository.get("unknown")
        with pytest.raises(ResourceNotFoundError, match="unknown"):
            repository.delete("unknown")
        with pytest.raises(ResourceNotFoundError, match="unknown"):
            repository.save(make_job(job_id="unknown"))

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
        saved = repository.save(job.with_changes(at=NOON, message="first"))
        with pytest.raises(StaleJobError):
            repository.save(job.with_changes(at=NOON, message="second"))
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
        """Jobs are listed by creation time, then id, whatever zone the times had."""
        east, west = timezone(timedelta(hours=9)), timezone(timedelta(hours=-8))
        times = {
            "a": NOON,
            "b": NOON,
            "c": (NOON + timedelta(seconds=1)).astimezone(west),
            "d": (NOON - timedelta(microseconds=1)).astimezone(east),
        }
        for name, time in times.items():
            repository.add(make_job(job_id=name, creation_time=time))
        assert ids_of(repository.list(JobQuery())) == ["c", "b", "a", "d"]

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
        assert {query: ids_of(repository.list(query)) for query in expected} == expected

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
        assert {text: ids_of(repository.list(JobQuery(text=text))) for text in expected} == expected

    def test_the_words_of_a_text_come_in_any_order(self, repository: JobRepository) -> None:
        """Each word has to occur somewhere, as a part of a word too; no words narrow nothing."""
        repository.add(make_job(job_id="a", prompt="A red fox jumps over the snow"))
        repository.add(make_job(job_id="b", prompt="snow falls; a foxglove, redder than ever"))
        repository.add(make_job(job_id="c", prompt="a red owl in the snow"))
        expected = {
            "snow FOX": ["b", "a"],
            "red\tfox\n jumps": ["a"],
            "ox no ed": ["b", "a"],
            "o w": ["c", "b", "a"],
            "fox owl": [],
            "red fox fox red": ["b", "a"],
            " ": ["c", "b", "a"],
            "": ["c", "b", "a"],
            "jumps over the snow red a fox A": ["a"],
        }
        assert {text: ids_of(repository.list(JobQuery(text=text))) for text in expected} == expected

    def test_text_is_found_among_many(self, repository: JobRepository) -> None:
        """A rare word and a common one list the same jobs as a look at each would, page by page."""
        for number in range(300):
            rare = "needle " if number % 97 == 5 else ""
            prompt = f"{rare}common haystack {number}"
            status = JobStatus.FAILED if number % 2 else JobStatus.QUEUED
            repository.add(make_job(job_id=f"{number:03}", prompt=prompt, status=status))
        assert ids_of(repository.list(JobQuery(text="needle"))) == ["296", "199", "102", "005"]
        failed = JobQuery(text="stack COMMON", status=frozenset({JobStatus.FAILED}), limit=2)
        assert ids_of(repository.list(failed)) == ["299", "297"]
        either = frozenset({JobStatus.FAILED, JobStatus.QUEUED})
        page = JobQuery(text="needle common", status=either, limit=2, after="199")
        assert ids_of(repository.list(page)) == ["102", "005"]
        assert [repository.count(JobQuery(text=text)) for text in ("needle", "common")] == [4, 300]

    def test_a_tag_is_looked_for_as_a_whole(self, repository: JobRepository) -> None:
        """A tag matches exactly, and a job is listed under every tag that it has now."""
        repository.add(make_job(job_id="a", tags=("red", "big one")))
        repository.add(make_job(job_id="b", tags=("red",)))
        repository.add(make_job(job_id="c", tags=("Red", "redder")))
        expected = {"red": ["b", "a"], "big one": ["a"], "big": [], "Red": ["c"], "": []}
        assert {tag: ids_of(repository.list(JobQuery(tag=tag))) for tag in expected} == expected
        job = repository.get("b")
        repository.save(job.with_labels(at=NOON, tags=["blue", "small"]))
        found = {
            tag: ids_of(repository.list(JobQuery(tag=tag))) for tag in ("red", "blue", "small")
        }
        assert found == {"red": ["a"], "blue": ["b"], "small": ["b"]}
        repository.delete("a")
        assert repository.list(JobQuery(tag="big one")) == []

    def test_matches_are_counted(self, repository: JobRepository) -> None:
        """A count is that of the whole listing, whatever page the query asks for."""
        for number in range(7):
            status = JobStatus.FAILED if number % 2 else JobStatus.QUEUED
            tags = ("red",) if number < 3 else ()
            repository.add(make_job(job_id=str(number), status=status, tags=tags))
        failed = JobQuery(status=frozenset({JobStatus.FAILED}))
        both = JobQuery(status=frozenset({JobStatus.FAILED, JobStatus.QUEUED}))
        expected = {
            JobQuery(): 7,
            JobQuery(limit=2, after="5"): 7,
            JobQuery(limit=0, oldest_first=True): 7,
            failed: 3,
            both: 7,
            replace(failed, tag="red"): 1,
            replace(both, tag="red"): 3,
            JobQuery(status=frozenset()): 0,
            JobQuery(text="fox"): 7,
            JobQuery(text="owl"): 0,
        }
        assert {query: repository.count(query) for query in expected} == expected

    def test_what_is_deleted_is_gone(self, repository: JobRepository) -> None:
        """A deleted job is in no listing and cannot be saved; its id is free again."""
        repository.add(make_job(job_id="a", prompt="a needle", tags=("red",)))
        repository.add(make_job(job_id="b", prompt="a needle", tags=("red",)))
        job = repository.get("a")
        repository.delete("a")
        with pytest.raises(ResourceNotFoundError):
            repository.get("a")
        with pytest.raises(ResourceNotFoundError):
            repository.save(job)
        for query in (JobQuery(), JobQuery(text="needle"), JobQuery(tag="red")):
            assert ids_of(repository.list(query)) == ["b"]
        repository.add(make_job(job_id="a", prompt="another thread", tags=("blue",)))
        assert ids_of(repository.list(JobQuery(text="thread"))) == ["a"]
        assert ids_of(repository.list(JobQuery(tag="red"))) == ["b"]

    def test_a_time_range_is_half_open(self, repository: JobRepository) -> None:
        """``since`` is included and ``until`` is not, so that ranges can be joined."""
        for hour in range(4):
            repository.add(make_job(job_id=str(hour), creation_time=NOON + timedelta(hours=hour)))
        tokyo = timezone(timedelta(hours=9))
        since = (NOON + timedelta(hours=1)).astimezone(tokyo)
        until = NOON + timedelta(hours=3)
        assert ids_of(repository.list(JobQuery(since=since, until=until))) == ["2", "1"]

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
                seen += ids_of(page)
                page = repository.list(JobQuery(status=status, limit=3, after=seen[-1]))
            assert seen == [f"{number:02}" for number in reversed(range(11))]

    def test_a_page_starts_after_any_job(self, repository: JobRepository) -> None:
        """The job that a page starts after need not match; one that is not there is an error."""
        repository.add(make_job(job_id="a", model="m1"))
        repository.add(make_job(job_id="b", model="m2"))
        assert ids_of(repository.list(JobQuery(model="m1", after="b"))) == ["a"]
        with pytest.raises(ResourceNotFoundError, match="gone"):
            repository.list(JobQuery(after="gone"))

    def test_threads_lose_no_update(self, repository: JobRepository) -> None:
        """Threads that count in one job reach the sum, since a stale save is refused."""
        job = make_job(facts={"count": 0})
        repository.add(job)

        def count_up(_: int) -> None:
            while True:
                seen = repository.get(job.job_id)
                facts = {"count": seen.facts["count"] + 1}
                try:
                    repository.save(seen.with_changes(at=NOON, facts=facts))
                except StaleJobError:
                    continue
                return

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(count_up, range(20)))
        stored = repository.get(job.job_id)
        assert (stored.facts["count"], stored.version) == (20, 21)
