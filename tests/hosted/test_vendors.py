"""What becomes of a job when a vendor, or the way to it, fails: nothing is billed twice or lost."""

from __future__ import annotations

import random
from collections import Counter
from datetime import timedelta

import pytest
from tests.hosted.simulator import LOST
from tests.hosted.vendors import VENDORS, WITH_FILES

from tiomagic_domain.errors import APIError, AuthenticationError, RateLimitError, TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver
from tiomagic_domain.testing.contracts.provider import job_after, poll_to_end


@pytest.fixture(params=VENDORS, ids=str)
def vendor(request):
    """Each vendor."""
    return request.param


def submit(provider, request):
    return job_after(request.job, provider.submit(request, RecordingObserver()))


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_is_never_sent_again(provider, vendor, new_request, site, clock, fault):
    site.creates.append(fault)
    request = new_request()
    with pytest.raises(APIError) as caught:
        provider.submit(request, RecordingObserver())
    assert caught.value.code == "answer_lost"
    assert provider.submit(request, RecordingObserver()).status is JobStatus.QUEUED
    assert provider.poll(request.job).status is JobStatus.QUEUED
    clock.shift = timedelta(minutes=16)
    if vendor.finds_lost:
        assert poll_to_end(provider, request.job)[1].status is JobStatus.COMPLETED
    else:
        end = provider.poll(request.job)
        assert (end.status, end.error_code) == (JobStatus.FAILED, "outcome_unknown")
        assert provider._service.dashboard in end.error
    assert site.seen["create"] == 1


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("slow down", "RateLimitError", "Too many requests"),
        ("no credit", "ConfigurationError", "needs credit"),
        ("moderation", "ValidationError", "the prompt is not allowed"),
    ],
)
def test_a_refusal_starts_nothing_and_may_be_tried_again(
    provider, vendor, new_request, site, fault, error, words
):
    """The error has the vendor's own words, and its kind says who can mend it."""
    site.creates.append(fault)
    request = new_request()
    with pytest.raises(TioMagicError, match=words) as caught:
        provider.submit(request, RecordingObserver())
    assert type(caught.value).__name__ == error
    assert site.runs == {}
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    assert len(site.runs) == 1


def test_the_wait_that_a_vendor_asks_for_is_kept(provider, new_request, site):
    job = submit(provider, new_request())
    site.looks.append("slow down")
    with pytest.raises(RateLimitError) as caught:
        provider.poll(job)
    assert caught.value.retry_after == 3.0


def test_a_vendor_out_of_reach_starts_nothing(provider, new_request, site):
    address = site.address
    site.__exit__()
    request = new_request()
    with pytest.raises(APIError, match="nothing was started") as caught:
        provider.submit(request, RecordingObserver())
    assert caught.value.code != "answer_lost"
    assert address not in str(caught.value.details)
    site.__enter__()


def test_a_wrong_key_is_named(new_provider, vendor, new_request):
    wrong = "sk-of-somebody-else"
    with pytest.raises(AuthenticationError, match=vendor.key_variable) as caught:
        new_provider(wrong).submit(new_request(), RecordingObserver())
    assert wrong not in repr(caught.value.to_dict())


@pytest.mark.parametrize("fault", ["hang up", "500"])
def test_a_poll_that_fails_changes_nothing(provider, new_request, site, fault):
    job = submit(provider, new_request())
    site.looks.append(fault)
    with pytest.raises(APIError) as caught:
        provider.poll(job)
    assert caught.value.retryable
    assert poll_to_end(provider, job)[1].status is JobStatus.COMPLETED


@pytest.mark.parametrize("fault", ["unknown", "gone"])
def test_an_odd_status_is_no_end(provider, new_request, site, fault):
    job = submit(provider, new_request())
    site.looks.append(fault)
    assert not provider.poll(job).status.is_terminal
    assert poll_to_end(provider, job)[1].status is JobStatus.COMPLETED


def test_a_run_that_the_vendor_does_not_know_after_a_while_is_lost(
    provider, new_request, site, clock
):
    job = submit(provider, new_request())
    site.runs.clear()
    clock.shift = timedelta(minutes=16)
    assert provider.poll(job).error_code == "lost"


def test_moderation_of_the_result_has_the_vendors_words_and_code(
    provider, vendor, new_request, site
):
    site.ends.append("moderation")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert end.status is JobStatus.FAILED
    assert "the video is not allowed" in end.error
    assert end.facts.get("vendor_code") == vendor.moderation_code


def test_a_result_without_a_video_has_failed(provider, new_request, site):
    site.ends.append("no video")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert end.error_code == "no_video"


@pytest.mark.parametrize("vendor", WITH_FILES, ids=str)
@pytest.mark.parametrize("fault", ["cut off", "a page", "expired"])
def test_a_video_that_did_not_arrive_is_fetched_again(provider, new_request, site, tmp_path, fault):
    job = submit(provider, new_request())
    next(iter(site.runs.values())).polls_left = 1
    site.files.extend([fault] * 4)  # The download tries again by itself.
    with pytest.raises(APIError, match="fetches it again"):
        provider.poll(job)
    assert list((tmp_path / "spool").glob("*.mp4")) == []
    site.files.clear()
    report = provider.poll(job)
    assert report.video.path.read_bytes() == site.video


@pytest.mark.parametrize("vendor", WITH_FILES, ids=str)
def test_a_video_that_the_vendor_has_deleted_is_an_end(provider, new_request, site, clock):
    job = submit(provider, new_request())
    next(iter(site.runs.values())).polls_left = 1
    clock.shift = provider._service.keeps_videos + timedelta(days=1)
    site.files.extend(["expired"] * 4)
    end = provider.poll(job)
    assert (end.status, end.error_code) == (JobStatus.FAILED, "no_video")


def test_a_cancel_that_comes_too_late_keeps_the_video(provider, vendor, new_request, site):
    """Where the vendor has no such request, each comes too late, and the report says so."""
    site.stops_running = False
    job = submit(provider, new_request())
    report = provider.cancel(job)
    assert report.status is JobStatus.CANCELING
    assert ("cannot stop a run" in report.message) is not vendor.stops_runs
    assert provider.poll(job_after(job, report)).message == report.message  # And it stays so.
    _, end = poll_to_end(provider, job_after(job, report))
    assert end.status is JobStatus.COMPLETED
    assert site.seen["cancel"] == int(vendor.stops_runs)  # A second one may delete the video.


def test_another_process_finds_the_run(new_provider, new_request, site):
    request = new_request()
    new_provider().submit(request, RecordingObserver())
    _, end = poll_to_end(new_provider(), request.job)
    assert end.status is JobStatus.COMPLETED
    assert len(site.runs) == 1


def test_neither_the_key_nor_an_address_is_in_a_report(provider, vendor, request_for, site):
    request = request_for(
        Feature.IMAGE_TO_VIDEO,
        vendor.card,
        prompt="a fox",
        image=vendor.picture,
        **vendor.arguments,
    )
    observer = RecordingObserver()
    job = job_after(request.job, provider.submit(request, observer))
    job, end = poll_to_end(provider, job)
    said = repr([*observer.reports, end, job, end.video.recipe])
    assert site.key not in said
    assert site.key not in repr(site.paths)
    assert site.address not in said.replace(str(end.video.path), "")


def test_forty_runs_through_random_faults(new_provider, vendor, new_request, site, clock):
    """No create twice, no finished video lost, every end true."""
    draw, ends = random.Random(20), Counter()
    processes = [new_provider() for _ in range(3)]
    for _ in range(40):
        site.creates.extend(draw.choices([None, None, None, None, *LOST, "slow down"], k=1))
        site.looks.extend(draw.choices([None, "hang up", "500", "slow down", "unknown"], k=4))
        site.ends.extend(draw.choices([None, None, "500", "moderation"], k=1))
        site.files.extend(draw.choices([None, "cut off"], k=1))
        planned = site.creates[0]
        before, sent, request = len(site.runs), site.seen["create"], new_request()
        status, code = see_to_its_end(draw.sample(processes, 2), request, clock)
        assert site.seen["create"] == sent + 1
        accepted = len(site.runs) - before
        match status, code:
            case JobStatus.COMPLETED, None:
                assert accepted == 1
                assert planned is None or (planned in LOST and vendor.finds_lost)
            case JobStatus.FAILED, "outcome_unknown":
                assert planned in LOST
                assert not vendor.finds_lost
                assert accepted == 1  # The simulator accepts before it falls silent.
            case JobStatus.FAILED, "rate_limited":
                assert (planned, accepted) == ("slow down", 0)
            case _:
                assert accepted == 1
                assert planned is None or (planned in LOST and vendor.finds_lost)
                assert code == "generation"  # The vendor's moderation.
        ends[status, code] += 1
        for faults in (site.creates, site.looks, site.ends, site.files):
            faults.clear()
        clock.shift = timedelta()
    assert sum(ends.values()) == site.seen["create"] == 40
    assert len(ends) == (3 if vendor.finds_lost else 4)  # Each kind of end was seen.


def see_to_its_end(providers, request, clock):
    """Submit, and poll as the follower does, which is in another process."""
    sender, provider = providers
    try:
        job = submit(sender, request)
    except RateLimitError as error:
        return JobStatus.FAILED, error.code
    except APIError as error:
        if error.code != "answer_lost":
            raise
        job = request.job
        assert provider.submit(request, RecordingObserver()).status is JobStatus.QUEUED
        clock.shift = timedelta(minutes=16)
    for _ in range(100):
        try:
            report = provider.poll(job)
        except APIError as error:
            if not error.retryable:
                raise
            continue
        if report.status.is_terminal:
            return report.status, report.error_code
        job = job_after(job, report)
    raise AssertionError(job)
