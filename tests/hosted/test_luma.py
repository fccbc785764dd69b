"""What Luma alone does: pictures by address, and a lost run that is found by what was asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.hosted.vendors import LUMA

from tiomagic_domain.errors import APIError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver
from tiomagic_domain.testing.contracts.provider import job_after, poll_to_end
from tiomagic_hosted.catalogue.luma import RAY_2, RAY_FLASH_2

FIRST, LAST = "https://example.com/first.png", "https://example.com/last.png"


@pytest.fixture
def vendor():
    return LUMA


def submit(provider, request):
    return job_after(request.job, provider.submit(request, RecordingObserver()))


def lose(provider, site, request):
    """Submit a job whose answer is lost."""
    site.creates.append("hang up after accepting")
    with pytest.raises(APIError):
        provider.submit(request, RecordingObserver())


@pytest.mark.parametrize(
    ("feature", "card", "arguments", "said"),
    [
        (
            Feature.TEXT_TO_VIDEO,
            RAY_FLASH_2,
            {"seconds": 9, "resolution": "540p", "aspect": "9:21"},
            {
                "model": "ray-flash-2",
                "duration": "9s",
                "resolution": "540p",
                "aspect_ratio": "9:21",
            },
        ),
        (
            Feature.IMAGE_TO_VIDEO,
            RAY_2,
            {"image": FIRST},
            {
                "model": "ray-2",
                "duration": "5s",
                "resolution": "720p",
                "keyframes": {"frame0": {"type": "image", "url": FIRST}},
            },
        ),
        (
            Feature.INTERPOLATE,
            RAY_2,
            {"first_frame": FIRST, "last_frame": LAST},
            {
                "keyframes": {
                    "frame0": {"type": "image", "url": FIRST},
                    "frame1": {"type": "image", "url": LAST},
                }
            },
        ),
    ],
)
def test_a_call_is_said_in_the_vendors_words(
    provider, request_for, site, feature, card, arguments, said
):
    request = request_for(feature, card, prompt="a fox", **arguments)
    provider.check(request)
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = site.runs.values()
    assert {"prompt": "a fox", **said}.items() <= run.arguments.items()


def test_a_file_is_refused_before_anything_is_sent(provider, request_for, site):
    """Luma has no store for it, and no other host gets it."""
    request = request_for(
        Feature.INTERPOLATE, RAY_2, prompt="a fox", first_frame=FIRST, last_frame=b"mine"
    )
    for ask in (provider.check, lambda one: provider.submit(one, RecordingObserver())):
        with pytest.raises(ValidationError, match=r"https address.*'fal'") as caught:
            ask(request)
        assert [problem.field for problem in caught.value.problems] == ["last_frame"]
    assert site.seen == {}
    assert not provider._ledger.has(request.job.job_id)


def test_a_stored_job_has_no_addresses(provider, request_for, site):
    """They may be signed, so they are not kept: it is refused like a file."""
    request = request_for(Feature.IMAGE_TO_VIDEO, RAY_2, prompt="a fox", image=FIRST)
    with pytest.raises(ValidationError, match="https address"):
        provider.submit(replace(request, addresses={}), RecordingObserver())
    assert site.seen == {}


def test_a_lost_run_is_found_among_others(provider, request_for, site, clock):
    """By what was asked and when; a run that another job is known to have is not taken."""
    known = submit(provider, request_for(Feature.TEXT_TO_VIDEO, RAY_2, prompt="a fox"))
    submit(provider, request_for(Feature.TEXT_TO_VIDEO, RAY_2, prompt="a cat"))
    request = request_for(Feature.TEXT_TO_VIDEO, RAY_2, prompt="a fox")
    lose(provider, site, request)
    # Another job's answer may still come: nothing is taken yet.
    assert provider.poll(request.job).call_id is None
    assert site.seen["list"] == 0
    clock.shift = timedelta(minutes=3)
    found = provider.poll(request.job)
    (first, _, lost) = site.runs
    assert (found.call_id, known.call_id) == (lost, first)
    assert poll_to_end(provider, request.job)[1].status is JobStatus.COMPLETED
    assert site.seen["create"] == 3


def test_a_run_of_an_interpolation_is_found(provider, request_for, site, clock):
    request = request_for(
        Feature.INTERPOLATE, RAY_2, prompt="a fox", first_frame=FIRST, last_frame=LAST
    )
    submit(provider, request_for(Feature.IMAGE_TO_VIDEO, RAY_2, prompt="a fox", image=FIRST))
    lose(provider, site, request)
    clock.shift = timedelta(minutes=3)
    assert provider.poll(request.job).call_id == list(site.runs)[1]


def test_of_two_lost_jobs_one_run_is_given_to_one(new_provider, request_for, site, clock):
    """Luma has one of them: which, nobody can say, and the other one is not made of it."""
    jobs = [request_for(Feature.TEXT_TO_VIDEO, RAY_2, prompt="a fox") for _ in range(2)]
    for request in jobs:
        lose(new_provider(), site, request)
    site.runs.pop(list(site.runs)[1])
    clock.shift = timedelta(minutes=3)
    assert [new_provider().poll(one.job).call_id is None for one in jobs] == [False, True]
    clock.shift = timedelta(minutes=16)
    assert new_provider().poll(jobs[1].job).error_code == "outcome_unknown"


def test_a_lost_run_that_is_not_listed_is_unknown(provider, new_request, site, clock):
    site.forgets_lost = True
    request = new_request()
    lose(provider, site, request)
    clock.shift = timedelta(minutes=16)
    end = provider.poll(request.job)
    assert end.error_code == "outcome_unknown"
    assert "lumalabs.ai" in end.error
    assert site.seen["create"] == 1


def test_a_run_that_fails_costs_nothing(provider, new_request, site):
    """Luma refunds it, also one that its checks of content ended."""
    site.ends.append("moderation")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert (end.status, end.cost.amount) == (JobStatus.FAILED, 0)
    site.ends.append("no video")
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert (end.error_code, end.cost) == ("no_video", None)
