"""What is fal's own: its words, its queue, its uploads, its client."""

from __future__ import annotations

import pytest
from tests.hosted.test_vendors import submit

from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver
from tiomagic_domain.testing.contracts.provider import poll_to_end
from tiomagic_hosted.catalogue.fal import H3_MAX, KLING_PRO, WAN_MOTION


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


def test_a_position_in_the_queue_and_logs_are_reported(provider, new_request, fal):
    job = submit(provider, new_request())
    next(iter(fal.runs.values())).polls_left = 4
    assert provider.poll(job).queue_position == 4
    report = provider.poll(job)
    assert (report.status, report.logs) == (JobStatus.RUNNING, "loading\n")
    assert report.retry_after == 2.0


def test_a_failure_of_fals_own_costs_nothing(provider, new_request, fal):
    """One that ended by its inputs may be billed: what it costs is not known."""
    job = submit(provider, new_request())
    fal.looks.append("runner lost")
    report = provider.poll(job)
    assert (report.status, report.cost.amount) == (JobStatus.FAILED, 0)
    assert "fal.ai/docs" in report.cost.basis
    fal.ends.append("moderation")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert (end.status, end.cost) == (JobStatus.FAILED, None)


def test_a_run_that_never_started_costs_nothing(provider, new_request, fal):
    """The queue is not billed; of a run that had started fal says nothing."""
    for status, amount in ((JobStatus.QUEUED, 0), (JobStatus.RUNNING, None)):
        job = submit(provider, new_request())
        if status is JobStatus.RUNNING:
            job = job.to(status, at=job.creation_time)
        fal.runs[next(reversed(fal.runs))].polls_left = 4
        provider.cancel(job)
        end = provider.poll(job)
        assert end.status is JobStatus.CANCELED
        assert (end.cost and end.cost.amount) == amount


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
        (
            Feature.POSE_GUIDANCE,
            KLING_PRO,
            {"image": b"one", "guiding_video": b"two", "orientation": "image"},
            "fal-ai/kling-video/v3/pro/motion-control",
            {
                "image_url": b"one",
                "video_url": b"two",
                "character_orientation": "image",
                "keep_original_sound": False,
            },
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
