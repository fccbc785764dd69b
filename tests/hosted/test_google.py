"""What is Google's own: its words, its two APIs, what each needs."""

from __future__ import annotations

import base64

import pytest
from tests.hosted.test_vendors import submit
from tests.hosted.vendors import OMNI, VEO

from tiomagic_domain.errors import APIError, AuthenticationError, ConfigurationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing import RecordingObserver
from tiomagic_domain.testing.contracts.provider import poll_to_end
from tiomagic_hosted.catalogue.google import CARDS, build_catalogue
from tiomagic_hosted.services.google import GoogleService

CARD = {card.name: card for card in CARDS}


@pytest.fixture
def vendor():
    """The vendor of a test that names none."""
    return OMNI


def test_omni_is_asked_in_the_background_and_kept(provider, request_for, site):
    """Else its run could not be found again."""
    request = request_for(
        Feature.IMAGE_TO_VIDEO, OMNI.card, prompt="a fox", image=b"one", seconds=7
    )
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = site.runs.values()
    said = dict(run.arguments)
    (step,) = said.pop("input")
    assert [one["type"] for one in step["content"]] == ["image", "text"]
    assert base64.b64decode(step["content"][0]["data"]) == b"one"
    assert said == {
        "model": "gemini-omni-1.2-flash",
        "background": True,
        "store": True,
        "generation_config": {"video_config": {"task": "image_to_video"}},
        "response_format": [
            {
                "type": "video",
                "delivery": "uri",
                "duration": "7s",
                "resolution": "720p",
                "aspect_ratio": "16:9",
            }
        ],
    }


@pytest.mark.parametrize("vendor", [VEO], ids=str)
def test_veo_is_asked_with_both_pictures(provider, request_for, site):
    """In the words of the Agent Platform."""
    request = request_for(
        Feature.INTERPOLATE,
        VEO.card,
        prompt="a fox",
        first_frame=b"one",
        last_frame=b"two",
        sound=False,
        seed=5,
    )
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = site.runs.values()
    (instance,) = run.arguments["instances"]
    assert base64.b64decode(instance["image"]["bytesBase64Encoded"]) == b"one"
    assert base64.b64decode(instance["lastFrame"]["bytesBase64Encoded"]) == b"two"
    assert run.arguments["parameters"] == {
        "sampleCount": 1,
        "durationSeconds": 4,
        "seed": 5,
        "aspectRatio": "16:9",
        "resolution": "720p",
        "generateAudio": False,
    }


@pytest.mark.parametrize("vendor", [VEO], ids=str)
def test_the_veo_of_before_keeps_its_name(provider, request_for, site):
    """Without the words that it does not know."""
    request = request_for(
        Feature.IMAGE_TO_VIDEO, CARD["veo-2.0-generate-001"], prompt="a fox", image=b"one"
    )
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = site.runs.values()
    assert run.endpoint == "veo-2.0-generate-001"
    assert run.arguments["parameters"].keys() == {
        *("sampleCount", "durationSeconds", "aspectRatio", "seed")
    }


@pytest.mark.parametrize("vendor", [VEO], ids=str)
def test_a_video_of_veo_that_is_none_is_fetched_again(provider, new_request, site):
    """It comes with the answer about the run."""
    job = submit(provider, new_request())
    next(iter(site.runs.values())).polls_left = 1
    site.files.append("a page")
    with pytest.raises(APIError, match="fetches it again"):
        provider.poll(job)
    assert provider.poll(job).video.path.read_bytes() == site.video


@pytest.mark.parametrize(
    ("name", "error", "variable"),
    [
        ("gemini-omni-1.2-flash", AuthenticationError, "GEMINI_API_KEY"),
        ("veo-3.1-generate-001", ConfigurationError, "GOOGLE_CLOUD_PROJECT"),
    ],
)
def test_each_model_says_what_it_needs(request_for, name, error, variable):
    """A key is of no use to Veo, and a project of none to Omni."""
    request = request_for(Feature.TEXT_TO_VIDEO, CARD[name], prompt="a fox")
    with pytest.raises(error, match=variable):
        build_catalogue(has_key=False, has_project=False).check(request)
    build_catalogue(has_key=True, has_project=True).check(request)


def test_without_credentials_of_google_cloud_nothing_is_sent(
    provider, request_for, tmp_path, monkeypatch, site
):
    """The job may be sent again once you have signed in."""
    monkeypatch.setenv("GOOGLE_APPLICATION_CREDENTIALS", str(tmp_path / "missing.json"))
    provider._service = GoogleService("a key", "a-project")
    request = request_for(Feature.TEXT_TO_VIDEO, VEO.card, prompt="a fox")
    with pytest.raises(AuthenticationError, match="gcloud auth application-default login"):
        provider.submit(request, RecordingObserver())
    assert site.seen["create"] == 0
    assert not provider._ledger.has(request.job.job_id)
