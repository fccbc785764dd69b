"""What every provider does: in general, when it blocks, and when it is far away."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import timedelta

import pytest

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.errors import APIError, GenerationCanceledError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.ports.provider import Provider, Report, Request, find_answers
from tiomagic_domain.ports.rehearsal import CheckOutcome
from tiomagic_domain.preflight.judgement import judge

PATIENCE_S = 120.0
"""How long a run of a contract may take before the test gives up."""


class RecordingObserver:
    """An observer that remembers its reports.

    Attributes:
        reports: Every report, in order.
        cancel_after: The number of reports after which the job is to stop; None for never.
    """

    def __init__(self, cancel_after: int | None = None) -> None:
        self.reports: list[Report] = []
        self.cancel_after = cancel_after

    def report(self, report: Report) -> None:
        """Remember a report."""
        self.reports.append(report)

    def raise_if_canceled(self) -> None:
        """End the submission after enough reports."""
        if self.cancel_after is not None and len(self.reports) >= self.cancel_after:
            raise GenerationCanceledError("canceled by the test")


class ProviderContract:
    """What every provider does; subclass one of those below.

    Fixtures to give: ``provider``, fresh, and ``new_request``, which returns a small request of a
    job of its own each time it is called. Where runs can be counted, override ``count_runs``.
    """

    @pytest.fixture
    def count_runs(self) -> Callable[[], int]:
        """Return how many runs were started so far; a provider that cannot tell says 1."""
        return lambda: 1

    @pytest.fixture
    def catalogue(self) -> Mapping[str, ModelCard]:
        """Return the models that the provider is asked for; every known one."""
        return models()

    def test_its_default_model_exists(
        self, provider: Provider, catalogue: Mapping[str, ModelCard]
    ) -> None:
        """The model that runs when none is named is in the catalogue, and it runs there."""
        assert provider.name
        assert provider.name == provider.name.strip()
        assert provider.capabilities().default_model in catalogue

    def test_a_preflight_is_plain_and_starts_nothing(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """What a run would take is plain data, the fastest memory plan first, and no run.

        It is known before anything was submitted, and a run that works is not refused by it.
        """
        request = new_request()
        found = find_answers(provider).preflight(request.card, request.settings)
        assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
        needs = [plan.device_gib for plan in found.plans]
        assert needs == sorted(needs, reverse=True)
        if found.weights is not None:
            assert 0 <= found.weights.here_bytes <= found.weights.total_bytes
        problems = [
            check.message
            for check in judge(request.card, found, found.time)
            if check.outcome is CheckOutcome.PROBLEM
        ]
        assert problems == []

    def test_a_run_ends_with_a_video(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """A good request passes the check, runs, and gives a file with its recipe."""
        request = new_request()
        provider.check(request)
        _, report = run_to_end(provider, request)
        assert report.status is JobStatus.COMPLETED
        assert report.error is None
        assert report.video is not None
        assert report.video.path.stat().st_size > 0
        assert report.video.recipe["job_id"] == request.job.job_id

    def test_the_job_id_is_the_idempotency_key(
        self,
        provider: Provider,
        new_request: Callable[[], Request],
        count_runs: Callable[[], int],
    ) -> None:
        """A second submission of a job starts nothing and returns the same run."""
        request = new_request()
        first = provider.submit(request, RecordingObserver())
        second = provider.submit(request, RecordingObserver())
        assert first.call_id == second.call_id
        assert count_runs() == 1
        poll_to_end(provider, job_after(request.job, first))

    def test_the_end_is_told_again(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """A poll after the end says the same end, with the video, until the video is taken."""
        job, _ = run_to_end(provider, new_request())
        for _attempt in range(2):
            report = provider.poll(job)
            check_report(report)
            assert report.status is JobStatus.COMPLETED

    def test_a_cancel_after_the_end_changes_nothing(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """What is finished stays finished, and its video can still be had."""
        job, _ = run_to_end(provider, new_request())
        report = provider.cancel(job)
        check_report(report)
        assert report.status is JobStatus.COMPLETED

    def test_a_job_that_it_does_not_know_has_failed(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """A job of yesterday without a run will never end by itself: the provider says so."""
        job = backdate(new_request().job)
        report = provider.poll(job)
        check_report(report)
        assert report.status is JobStatus.FAILED
        ended = provider.cancel(job)
        check_report(ended)
        assert ended.status.is_terminal


class BlockingProviderContract(ProviderContract):
    """What every provider does whose ``submit`` returns when the job is over."""

    def test_it_says_that_it_blocks(self, provider: Provider) -> None:
        """Callers know beforehand that a submission takes its time."""
        assert provider.capabilities().blocking

    def test_progress_is_told(self, provider: Provider, new_request: Callable[[], Request]) -> None:
        """The observer hears that the job runs and how far it is; the end is the return value."""
        observer = RecordingObserver()
        report = provider.submit(new_request(), observer)
        check_report(report)
        assert report.status.is_terminal
        assert {seen.status for seen in observer.reports} == {JobStatus.RUNNING}
        assert any(seen.progress is not None for seen in observer.reports)

    @pytest.mark.parametrize("after", [0, 1])
    def test_a_cancel_is_heard(
        self, provider: Provider, new_request: Callable[[], Request], after: int
    ) -> None:
        """A run stops when the observer says so, and the next one is none the worse for it."""
        report = provider.submit(new_request(), RecordingObserver(cancel_after=after))
        assert report.status is JobStatus.CANCELED
        assert report.video is None
        _, next_report = run_to_end(provider, new_request())
        assert next_report.status is JobStatus.COMPLETED


class QueueingProviderContract(ProviderContract):
    """What every provider does whose ``submit`` returns at once.

    A further fixture: ``long_request``, which returns a request whose run does not end by itself
    within the test. Where the service has no request that stops a run, override ``stops_runs``; a
    long run then has to end by itself after some polls.
    """

    @pytest.fixture
    def stops_runs(self) -> bool:
        """Say whether the service can stop a run that it has accepted."""
        return True

    def test_it_says_that_it_does_not_block(self, provider: Provider) -> None:
        """Callers know beforehand that they have to ask again."""
        assert not provider.capabilities().blocking

    def test_a_submission_returns_with_a_name(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """The answer has the provider's name for the run, so that another process can ask."""
        request = new_request()
        report = provider.submit(request, RecordingObserver())
        assert report.call_id
        poll_to_end(provider, job_after(request.job, report))

    def test_a_run_is_found_without_its_name(
        self, provider: Provider, new_request: Callable[[], Request]
    ) -> None:
        """A job whose answer was lost is looked up by its id."""
        request = new_request()
        provider.submit(request, RecordingObserver())
        _, report = poll_to_end(provider, request.job)
        assert report.status is JobStatus.COMPLETED

    def test_a_cancel_ends_a_run(
        self, provider: Provider, long_request: Callable[[], Request], *, stops_runs: bool
    ) -> None:
        """A run that is asked to stop stops, also when it is asked twice.

        What cannot be stopped is billed, so its video is kept.
        """
        request = long_request()
        job = job_after(request.job, provider.submit(request, RecordingObserver()))
        for _attempt in range(2):
            report = provider.cancel(job)
            check_report(report)
            assert report.status in {JobStatus.CANCELING, JobStatus.CANCELED}
            job = job_after(job, report)
        _, end = poll_to_end(provider, job)
        assert end.status is (JobStatus.CANCELED if stops_runs else JobStatus.COMPLETED)

    def test_a_cancel_concerns_one_job(
        self,
        provider: Provider,
        new_request: Callable[[], Request],
        long_request: Callable[[], Request],
    ) -> None:
        """Stopping one run leaves the others alone."""
        doomed, other = long_request(), new_request()
        first = job_after(doomed.job, provider.submit(doomed, RecordingObserver()))
        second = job_after(other.job, provider.submit(other, RecordingObserver()))
        poll_to_end(provider, job_after(first, provider.cancel(first)))
        _, end = poll_to_end(provider, second)
        assert end.status is JobStatus.COMPLETED


class RemoteProviderContract(QueueingProviderContract):
    """What every provider does whose runs go on behind a network.

    A further fixture: ``cut_off``, which returns a context in which the service is out of reach.
    """

    def test_no_network_is_no_news(
        self,
        provider: Provider,
        new_request: Callable[[], Request],
        cut_off: Callable[[], AbstractContextManager[None]],
    ) -> None:
        """An unreachable service is reported as such, and the job goes on."""
        request = new_request()
        job = job_after(request.job, provider.submit(request, RecordingObserver()))
        with cut_off():
            for ask in (provider.poll, provider.cancel):
                with pytest.raises(APIError) as caught:
                    ask(job)
                assert caught.value.retryable
        _, end = poll_to_end(provider, job)
        assert end.status is JobStatus.COMPLETED


def check_report(report: Report) -> None:
    """Check that a word is one that a job can be changed by."""
    assert (report.video is not None) == (report.status is JobStatus.COMPLETED)
    assert (report.error is not None) == (report.status is JobStatus.FAILED)
    if report.video is not None:
        assert report.video.path.exists()


def job_after(job: Job, report: Report) -> Job:
    """Return the job as stored after a report."""
    check_report(report)
    return apply_report(job, report, at=job.last_updated) or job


def run_to_end(provider: Provider, request: Request) -> tuple[Job, Report]:
    """Submit a request and see it to its end; return the job before the end, and the end."""
    report = provider.submit(request, RecordingObserver())
    if report.status.is_terminal:
        check_report(report)
        return replace(request.job, call_id=report.call_id), report
    return poll_to_end(provider, job_after(request.job, report))


def poll_to_end(provider: Provider, job: Job) -> tuple[Job, Report]:
    """Poll until the end; return the job before the end, and the end."""
    deadline = time.monotonic() + PATIENCE_S
    while time.monotonic() < deadline:
        report = provider.poll(job)
        check_report(report)
        if report.status.is_terminal:
            return job, report
        job = job_after(job, report)
        time.sleep(0.01)
    raise TimeoutError(f"job {job.job_id} is {job.status} after {PATIENCE_S} s")


def backdate(job: Job) -> Job:
    """Return the job as if it had been stored a day ago: no submission is still on its way."""
    before = job.creation_time - timedelta(days=1)
    return replace(job, creation_time=before, last_updated=before)
