"""What Runway alone does: credits, progress, its arguments, inputs, and a cancel that deletes."""

from __future__ import annotations

import base64
import json
from datetime import timedelta

import pytest
from tests.hosted.vendors import RUNWAY

from tiomagic_domain.errors import APIError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.progress import Phase
from tiomagic_domain.testing import RecordingObserver
from tiomagic_domain.testing.contracts.provider import job_after, poll_to_end
from tiomagic_hosted.catalogue.runway import ACT_TWO, GEN_4_5, GEN_4_TURBO
from tiomagic_hosted.services import runway as service


@pytest.fixture
def vendor():
    return RUNWAY


def submit(provider, request):
    return job_after(request.job, provider.submit(request, RecordingObserver()))


def read_input(site, address):
    """Return the bytes behind an address that Runway was given."""
    kind, _, rest = address.partition(":")
    if kind == "data":
        return base64.b64decode(rest.partition(",")[2])
    return site.uploads[rest.removeprefix("//")]


def test_credits_and_progress_are_reported(provider, new_request, site):
    job = submit(provider, new_request())
    next(iter(site.runs.values())).polls_left = 4
    waiting = provider.poll(job)
    assert (waiting.status, waiting.cost.amount) == (JobStatus.QUEUED, 0.6)
    running = provider.poll(job)
    assert (running.status, running.progress.fraction) == (JobStatus.RUNNING, 0.5)
    assert running.progress.phase is Phase.GENERATING
    assert running.retry_after == 5.0
    _, end = poll_to_end(provider, job)
    assert (end.cost.amount, end.cost.currency, end.facts["credits"]) == (0.6, "USD", 60)


def test_moderation_has_runways_code_and_its_price(provider, new_request, site):
    site.ends.append("moderation")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert end.error == "Runway: the video is not allowed (SAFETY.OUTPUT)"
    assert end.facts == {"vendor_code": "SAFETY.OUTPUT", "credits": 60}
    assert end.cost.amount == 0.6


@pytest.mark.parametrize("keeps_canceled", [True, False])
def test_a_canceled_task_is_an_end_that_runway_says(provider, long_request, site, keeps_canceled):
    """Whether Runway still shows the task, or has deleted it as it says that it does."""
    site.keeps_canceled = keeps_canceled
    request = long_request()
    job = job_after(request.job, provider.submit(request, RecordingObserver()))
    job = job_after(job, provider.cancel(job))
    assert job.status is JobStatus.CANCELING
    _, end = poll_to_end(provider, job)
    assert end.status is JobStatus.CANCELED
    assert site.seen["cancel"] == 1


def test_a_task_that_is_unknown_is_not_canceled_by_a_wish(provider, new_request, site, clock):
    """The request to end it never arrived: what became of it is not known."""
    job = submit(provider, new_request())
    site.is_away = True
    with pytest.raises(APIError):
        provider.cancel(job)
    site.is_away = False
    site.runs.clear()
    clock.shift = timedelta(minutes=16)
    end = provider.cancel(job)
    assert (end.status, end.error_code) == (JobStatus.FAILED, "lost")


@pytest.mark.parametrize(
    ("feature", "card", "arguments", "endpoint", "said"),
    [
        (
            Feature.TEXT_TO_VIDEO,
            GEN_4_5,
            {"seconds": 7, "aspect": "9:16", "seed": 5},
            "text_to_video",
            {"model": "gen4.5", "duration": 7, "ratio": "720:1280", "seed": 5},
        ),
        (
            Feature.IMAGE_TO_VIDEO,
            GEN_4_5,
            {"image": b"one"},
            "image_to_video",
            {"model": "gen4.5", "duration": 5, "ratio": "960:960", "promptImage": b"one"},
        ),
        (
            Feature.IMAGE_TO_VIDEO,
            GEN_4_TURBO,
            {"image": b"one", "aspect": "21:9"},
            "image_to_video",
            {"model": "gen4_turbo", "ratio": "1584:672", "promptImage": b"one"},
        ),
        (
            Feature.POSE_GUIDANCE,
            ACT_TWO,
            {"image": b"one", "guiding_video": b"two"},
            "character_performance",
            {
                "model": "act_two",
                "ratio": "960:960",
                "bodyControl": True,
                "character": {"type": "image", "uri": b"one"},
                "reference": {"type": "video", "uri": b"two"},
            },
        ),
    ],
)
@pytest.mark.parametrize("longest", [service.DATA_URL_BYTES, 0], ids=["in the call", "uploaded"])
def test_a_call_is_said_in_the_vendors_words(
    provider, request_for, site, monkeypatch, longest, feature, card, arguments, endpoint, said
):
    """A small file is in the call; a larger one is at Runway."""
    monkeypatch.setattr(service, "DATA_URL_BYTES", longest)
    request = request_for(feature, card, prompt="a fox", **arguments)
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = site.runs.values()
    assert run.endpoint == endpoint
    sent = dict(run.arguments)
    for name in {"promptImage", "character", "reference"} & set(sent):
        if isinstance(sent[name], dict):
            sent[name] = {**sent[name], "uri": read_input(site, sent[name]["uri"])}
        else:
            sent[name] = read_input(site, sent[name])
    assert said.items() <= sent.items()
    assert ("promptText" in sent) == (card is not ACT_TWO)
    files = sum(isinstance(value, bytes) for value in arguments.values())
    assert len(site.uploads) == (0 if longest else files)


def test_an_upload_that_fails_starts_nothing(provider, request_for, site, monkeypatch):
    monkeypatch.setattr(service, "DATA_URL_BYTES", 0)
    request = request_for(Feature.IMAGE_TO_VIDEO, GEN_4_5, prompt="a fox", image=b"one")
    site.is_away = True
    with pytest.raises(APIError, match="Nothing was started") as caught:
        provider.submit(request, RecordingObserver())
    site.is_away = False
    assert site.address not in json.dumps(caught.value.to_dict())
    assert site.seen["create"] == 0
    assert poll_to_end(provider, submit(provider, request))[1].status is JobStatus.COMPLETED
