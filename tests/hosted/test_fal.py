"""What becomes of a job when fal, or the way to it, fails: nothing is billed twice or lost."""

from __future__ import annotations

import random
from datetime import timedelta

import pytest

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    RateLimitError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver
from tiomagic_domain.testing.contracts.provider import job_after, poll_to_end
from tiomagic_hosted.catalogue.fal import H3_MAX, WAN_MOTION

LOST = ["hang up after accepting", "500 after accepting", "half an answer"]


def submit(provider, request):
    return job_after(request.job, provider.submit(request, RecordingObserver()))


@pytest.mark.parametrize("fault", LOST)
def test_a_lost_answer_is_never_sent_again(provider, new_request, fal, clock, fault):
    fal.creates.append(fault)
    request = new_request()
    with pytest.raises(APIError) as caught:
        provider.submit(request, RecordingObserver())
    assert caught.value.code == "answer_lost"
    assert provider.submit(request, RecordingObserver()).status is JobStatus.QUEUED
    assert provider.poll(request.job).status is JobStatus.QUEUED
    clock.shift = timedelta(minutes=16)
    end = provider.poll(request.job)
    assert (end.status, end.error_code) == (JobStatus.FAILED, "outcome_unknown")
    assert "https://fal.ai/dashboard/requests" in end.error
    assert fal.seen["create"] == 1


@pytest.mark.parametrize(
    ("fault", "error", "words"),
    [
        ("slow down", RateLimitError, "Too many requests"),
        ("no credit", AuthenticationError, "Exhausted balance"),
        ("moderation", ValidationError, "prompt: the prompt is not allowed"),
    ],
)
def test_a_refusal_starts_nothing_and_may_be_tried_again(
    provider, new_request, fal, fault, error, words
):
    fal.creates.append(fault)
    request = new_request()
    with pytest.raises(error, match=words):
        provider.submit(request, RecordingObserver())
    assert fal.runs == {}
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    assert len(fal.runs) == 1


def test_an_error_that_nobody_foresaw_does_not_send_again(
    provider, new_provider, new_request, fal, monkeypatch
):
    """The request may have been read before the client fell over."""
    request, client = new_request(), provider._service._client
    submit_for_real = type(client).submit

    def fall_over(*given, **named):
        submit_for_real(client, *given[1:], **named)
        raise RuntimeError("a bug of the client")

    monkeypatch.setattr(type(client), "submit", fall_over)
    with pytest.raises(RuntimeError):
        provider.submit(request, RecordingObserver())
    assert new_provider().submit(request, RecordingObserver()).status is JobStatus.QUEUED
    assert fal.seen["create"] == 1


def test_a_second_submission_uploads_nothing(provider, request_for, fal):
    request = request_for(Feature.IMAGE_TO_VIDEO, H3_MAX, prompt="a fox", image=b"one")
    for _ in range(2):
        provider.submit(request, RecordingObserver())
    assert len(fal.uploads) == len(fal.runs) == 1


def test_the_wait_that_fal_asks_for_is_kept(provider, new_request, fal):
    job = submit(provider, new_request())
    fal.looks.append("slow down")
    with pytest.raises(RateLimitError) as caught:
        provider.poll(job)
    assert caught.value.retry_after == 3.0


def test_fal_out_of_reach_starts_nothing(provider, new_request, fal):
    address = fal.address
    fal.__exit__()
    request = new_request()
    with pytest.raises(APIError, match="nothing was started") as caught:
        provider.submit(request, RecordingObserver())
    assert caught.value.code != "answer_lost"
    assert address not in str(caught.value.details)
    fal.__enter__()


def test_a_wrong_key_is_named(new_provider, new_request):
    with pytest.raises(AuthenticationError, match="FAL_KEY"):
        new_provider("another").submit(new_request(), RecordingObserver())


def test_a_position_in_the_queue_and_logs_are_reported(provider, new_request, fal):
    job = submit(provider, new_request())
    next(iter(fal.runs.values())).polls_left = 4
    assert provider.poll(job).queue_position == 4
    report = provider.poll(job)
    assert (report.status, report.logs) == (JobStatus.RUNNING, "loading\n")
    assert report.retry_after == 2.0


@pytest.mark.parametrize("fault", ["hang up", "500"])
def test_a_poll_that_fails_changes_nothing(provider, new_request, fal, fault):
    job = submit(provider, new_request())
    fal.looks.append(fault)
    with pytest.raises(APIError) as caught:
        provider.poll(job)
    assert caught.value.retryable
    assert poll_to_end(provider, job)[1].status is JobStatus.COMPLETED


@pytest.mark.parametrize("fault", ["unknown", "gone"])
def test_an_odd_status_is_no_end(provider, new_request, fal, fault):
    job = submit(provider, new_request())
    fal.looks.append(fault)
    assert not provider.poll(job).status.is_terminal
    assert poll_to_end(provider, job)[1].status is JobStatus.COMPLETED


def test_a_run_that_fal_does_not_know_after_a_while_is_lost(provider, new_request, fal, clock):
    job = submit(provider, new_request())
    fal.runs.clear()
    clock.shift = timedelta(minutes=16)
    assert provider.poll(job).error_code == "lost"


def test_moderation_of_the_result_has_the_vendors_words_and_code(provider, new_request, fal):
    fal.ends.append("moderation")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert end.status is JobStatus.FAILED
    assert "the video is not allowed (content_policy_violation)" in end.error
    assert end.facts["vendor_code"] == "content_policy_violation"


def test_a_result_without_a_video_has_failed(provider, new_request, fal):
    fal.ends.append("no video")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert end.error_code == "no_video"


@pytest.mark.parametrize("fault", ["cut off", "a page", "expired"])
def test_a_video_that_did_not_arrive_is_fetched_again(provider, new_request, fal, tmp_path, fault):
    job = submit(provider, new_request())
    next(iter(fal.runs.values())).polls_left = 1
    fal.files.extend([fault] * 4)  # The download tries again by itself.
    with pytest.raises(APIError, match="fetches it again"):
        provider.poll(job)
    assert list((tmp_path / "spool").glob("*.mp4")) == []
    fal.files.clear()
    report = provider.poll(job)
    assert report.video.path.read_bytes() == fal.video


def test_a_video_that_fal_has_deleted_is_an_end(provider, new_request, fal, clock):
    job = submit(provider, new_request())
    next(iter(fal.runs.values())).polls_left = 1
    clock.shift = timedelta(days=8)
    fal.files.extend(["expired"] * 4)
    end = provider.poll(job)
    assert (end.status, end.error_code) == (JobStatus.FAILED, "no_video")


def test_a_cancel_that_comes_too_late_keeps_the_video(provider, new_request, fal):
    fal.stops_running = False
    job = submit(provider, new_request())
    report = provider.cancel(job)
    assert report.status is JobStatus.CANCELING
    _, end = poll_to_end(provider, job_after(job, report))
    assert end.status is JobStatus.COMPLETED


def test_another_process_finds_the_run(new_provider, new_request, fal):
    request = new_request()
    new_provider().submit(request, RecordingObserver())
    _, end = poll_to_end(new_provider(), request.job)
    assert end.status is JobStatus.COMPLETED
    assert len(fal.runs) == 1


@pytest.mark.parametrize(
    ("feature", "card", "arguments", "endpoint", "said"),
    [
        (
            Feature.TEXT_TO_VIDEO,
            H3_MAX,
            {"seconds": 7, "resolution": "1080p", "aspect": "9:16", "seed": 5},
            "minimax/h3-max/text-to-video",
            {"duration": 7, "resolution": "1080P", "aspect_ratio": "9:16", "seed": 5},
        ),
        (
            Feature.IMAGE_TO_VIDEO,
            H3_MAX,
            {"image": b"one"},
            "minimax/h3-max/image-to-video",
            {"duration": 5, "resolution": "768P", "image_url": b"one"},
        ),
        (
            Feature.INTERPOLATE,
            H3_MAX,
            {"first_frame": b"one", "last_frame": b"two"},
            "minimax/h3-max/image-to-video",
            {"image_url": b"one", "end_image_url": b"two"},
        ),
        (
            Feature.POSE_GUIDANCE,
            WAN_MOTION,
            {"image": b"one", "guiding_video": b"two"},
            "fal-ai/wan-motion",
            {"image_url": b"one", "video_url": b"two"},
        ),
    ],
)
def test_a_call_is_said_in_the_vendors_words(
    provider, request_for, fal, feature, card, arguments, endpoint, said
):
    request = request_for(feature, card, prompt="a fox", **arguments)
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = fal.runs.values()
    assert run.endpoint == endpoint
    assert run.arguments["prompt"] == "a fox"
    for name, value in said.items():
        sent = run.arguments[name]
        if isinstance(value, bytes):
            sent = fal.uploads[sent.rpartition("/")[2]]
        assert sent == value


def test_neither_the_key_nor_an_address_is_in_a_report(provider, request_for, fal):
    request = request_for(Feature.IMAGE_TO_VIDEO, H3_MAX, prompt="a fox", image=b"one")
    observer = RecordingObserver()
    job = job_after(request.job, provider.submit(request, observer))
    job, end = poll_to_end(provider, job)
    said = repr([*observer.reports, end, job, end.video.recipe])
    assert fal.key not in said
    assert fal.address not in said.replace(str(end.video.path), "")


def test_forty_runs_through_random_faults(new_provider, new_request, fal, clock):
    """No create twice, no finished video lost, every end true."""
    draw = random.Random(20)
    for _ in range(40):
        fal.creates.extend(draw.choices([None, None, *LOST, "slow down"], k=1))
        fal.looks.extend(draw.choices([None, "hang up", "500", "slow down", "unknown"], k=4))
        fal.ends.extend(draw.choices([None, "500", "moderation"], k=1))
        fal.files.extend(draw.choices([None, "cut off"], k=1))
        before, request = len(fal.runs), new_request()
        status, code = see_to_its_end(new_provider, request, clock)
        accepted = len(fal.runs) - before
        assert accepted <= 1
        match status, code:
            case JobStatus.COMPLETED, _:
                assert accepted == 1
            case JobStatus.FAILED, "outcome_unknown":
                assert accepted == 1  # The simulator accepts before it falls silent.
            case JobStatus.FAILED, "rate_limited":
                assert accepted == 0
            case _:
                assert code == "generation"  # The vendor's moderation.
        for faults in (fal.creates, fal.looks, fal.ends, fal.files):
            faults.clear()
        clock.shift = timedelta()


def see_to_its_end(new_provider, request, clock):
    """Submit and poll as the follower does, each time in a process of its own."""
    try:
        job = submit(new_provider(), request)
    except RateLimitError as error:
        return JobStatus.FAILED, error.code
    except APIError as error:
        if error.code != "answer_lost":
            raise
        job = request.job
        assert new_provider().submit(request, RecordingObserver()).status is JobStatus.QUEUED
        clock.shift = timedelta(minutes=16)
    for _ in range(100):
        try:
            report = new_provider().poll(job)
        except APIError as error:
            if not error.retryable:
                raise
            continue
        if report.status.is_terminal:
            return report.status, report.error_code
        job = job_after(job, report)
    raise AssertionError(job)
