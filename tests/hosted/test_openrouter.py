"""What is OpenRouter's own: its words, its list of models, its prices, its bill."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta

import pytest
from tests.hosted.openrouter_simulator import list_as_shipped
from tests.hosted.test_vendors import submit
from tests.hosted.vendors import OPENROUTER

from tiomagic_domain.errors import APIError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.testing.contracts.provider import poll_to_end
from tiomagic_hosted.catalogue.openrouter import CARDS, ENDPOINTS
from tiomagic_hosted.catalogue.openrouter_listing import read_listing, shipped_listing
from tiomagic_hosted.catalogue.openrouter_live import FILE_NAME, ListingStore, build_catalogue
from tiomagic_hosted.services.openrouter import OpenRouterService

CARD = {card.name: card for card in CARDS}
VEO = CARD["openrouter-veo-3.1-fast"]
TODAY = date(2026, 11, 30)


@pytest.fixture
def vendor():
    """The vendor."""
    return OPENROUTER


def test_words_are_said_as_openrouter_takes_them(provider, request_for, site):
    """Without what it was not asked for."""
    request = request_for(
        Feature.TEXT_TO_VIDEO,
        VEO,
        prompt="a fox",
        seconds=6,
        resolution="4k",
        aspect="9:16",
        sound=False,
        seed=5,
    )
    submit(provider, request)
    (run,) = site.runs.values()
    assert run.arguments == {
        "model": "google/veo-3.1-fast",
        "prompt": "a fox",
        "duration": 6,
        "resolution": "4K",
        "aspect_ratio": "9:16",
        "generate_audio": False,
        "seed": 5,
    }


def test_pictures_are_said_with_their_place_and_their_shape(provider, request_for, site):
    """A square picture is nearer to one of the shapes than to the others."""
    request = request_for(
        Feature.INTERPOLATE,
        CARD["openrouter-kling-v3.0-std"],
        prompt="a fox",
        first_frame=b"one",
        last_frame=b"two",
    )
    _, end = poll_to_end(provider, submit(provider, request))
    assert end.status is JobStatus.COMPLETED
    (run,) = site.runs.values()
    assert [one["frame_type"] for one in run.arguments["frame_images"]] == [
        "first_frame",
        "last_frame",
    ]
    for one in run.arguments["frame_images"]:
        assert one["image_url"]["url"].startswith("data:image/")
    assert run.arguments["aspect_ratio"] == "1:1"


def test_what_was_billed_is_reported(provider, new_request):
    """The bill is OpenRouter's own, not the estimate."""
    _, end = poll_to_end(provider, submit(provider, new_request()))
    assert (end.cost.amount, end.cost.currency) == (0.4, "USD")


def test_a_run_that_cannot_be_stopped_says_so_before(provider, new_request):
    """The estimate of the plan has the sentence."""
    from tiomagic_domain.ports.provider import KnownRuns

    known = KnownRuns(at=datetime(2026, 11, 30, tzinfo=UTC))
    assert "OpenRouter cannot stop a run" in provider.estimate(new_request(), known).basis


@pytest.mark.parametrize(
    ("name", "arguments", "amount"),
    [
        # The figures are those of two published lists of 2026-09 and 2026-10.
        ("openrouter-kling-v3.0-std", {"seconds": 5}, 0.63),
        ("openrouter-kling-v3.0-std", {"seconds": 5, "sound": False}, 0.42),
        ("openrouter-veo-3.1-fast", {"seconds": 4}, 0.40),
        ("openrouter-veo-3.1-fast", {"seconds": 4, "sound": False}, 0.32),
        ("openrouter-veo-3.1-fast", {"seconds": 4, "resolution": "1080p"}, 0.48),
        ("openrouter-veo-3.1-fast", {"seconds": 8, "resolution": "4k", "sound": False}, 2.0),
        ("openrouter-gen-4.5", {"seconds": 5}, 0.60),
        ("openrouter-wan-3.0", {"seconds": 10, "resolution": "1080p"}, 2.0),
        # 1280 x 720 pixels at 24 frames a second, 1,024 for a token.
        ("openrouter-seedance-2.0", {"seconds": 5, "resolution": "720p"}, 21_600 * 7e-6 * 5),
    ],
)
def test_prices_are_those_of_the_list(request_for, name, arguments, amount):
    """By length, resolution and sound."""
    request = request_for(Feature.TEXT_TO_VIDEO, CARD[name], prompt="a fox", **arguments)
    quote = OPENROUTER.catalogue.quote(request, today=TODAY)
    assert quote.amount == pytest.approx(amount)
    assert "openrouter.ai/api/v1/videos/models" in quote.basis


def test_every_choice_of_every_model_has_a_price(request_for):
    """No resolution, with or without sound, is left without one."""
    for (name, feature), endpoint in ENDPOINTS.items():
        schema = CARD[name].schema(feature)
        sounds = 2 if "sound" in schema else 1
        assert len(endpoint.prices.rates) == len(schema["resolution"].choices) * sounds


def at(day: date):
    return lambda: day


def test_a_newer_list_is_fetched_once_a_day_and_kept(site, tmp_path, request_for):
    """Its prices take the place of the shipped ones, also in another process."""
    site.listed = list_as_shipped()
    for one in site.listed:
        one["pricing_skus"] = {"duration_seconds": "1.5"}
    request = request_for(Feature.TEXT_TO_VIDEO, VEO, prompt="a fox", seconds=4)
    store = ListingStore(tmp_path, OpenRouterService(site.key).list_models, at(TODAY))
    catalogue = build_catalogue(store)
    assert catalogue.quote(request, today=TODAY).amount == pytest.approx(0.40)
    assert site.seen["list"] == 0  # A quote asks for nothing.
    for _ in range(2):
        catalogue.ask_ahead(request)
    assert site.seen["list"] == 1
    quote = build_catalogue(ListingStore(tmp_path, None, at(TODAY))).quote(request, today=TODAY)
    assert (quote.amount, quote.as_of) == (6.0, TODAY)
    tomorrow = ListingStore(
        tmp_path, OpenRouterService(site.key).list_models, at(TODAY + timedelta(days=1))
    )
    tomorrow.refresh()
    assert site.seen["list"] == 2


@pytest.mark.parametrize("listed", [None, [], [{"id": "only a name"}]])
def test_without_a_list_the_shipped_one_holds(site, tmp_path, request_for, listed):
    """Offline, or of a form that is not known."""
    site.listed = listed
    store = ListingStore(tmp_path, OpenRouterService(site.key).list_models, at(TODAY))
    build_catalogue(store).ask_ahead(request_for(Feature.TEXT_TO_VIDEO, VEO, prompt="a fox"))
    assert store.find_newest() is shipped_listing()
    assert not (tmp_path / FILE_NAME).exists()


@pytest.mark.parametrize("text", ["", "{", '{"as_of": "2027-01-01", "data": []}', "[]"])
def test_a_kept_list_that_is_not_whole_is_not_used(tmp_path, text):
    """Nor one from the future, which would hold for ever."""
    (tmp_path / FILE_NAME).write_text(text)
    assert ListingStore(tmp_path, None, at(TODAY)).find_newest() is shipped_listing()


def keep(folder, **changed):
    listed = [
        {**one, **(changed if one["id"] == "google/veo-3.1-fast" else {})}
        for one in list_as_shipped()
    ]
    text = json.dumps({"as_of": TODAY.isoformat(), "data": listed})
    (folder / FILE_NAME).write_text(text)
    return build_catalogue(ListingStore(folder, None, at(TODAY)))


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"supported_durations": [6, 8]}, "takes no 4 s any more .*the nearest is seconds=6"),
        ({"supported_resolutions": ["1080p"]}, "no '720p' any more .*resolution='1080p'"),
    ],
)
def test_what_a_model_no_longer_takes_is_refused_before_it_is_sent(
    tmp_path, request_for, changed, words
):
    """With the nearest that it takes."""
    request = request_for(Feature.TEXT_TO_VIDEO, VEO, prompt="a fox", seconds=4)
    with pytest.raises(ValidationError, match=words):
        keep(tmp_path, **changed).ask_ahead(request)


def test_a_model_that_is_gone_names_the_others(tmp_path, request_for):
    """The list of today counts."""
    request = request_for(Feature.TEXT_TO_VIDEO, VEO, prompt="a fox")
    with pytest.raises(APIError, match=r"no longer lists .*openrouter-veo-3\.1-lite"):
        keep(tmp_path, id="google/veo-4").ask_ahead(request)


def test_an_entry_of_another_form_costs_one_model():
    """The others stay."""
    listed = [*list_as_shipped(), {"id": "new", "supported_durations": None}, "odd", None]
    assert read_listing({"data": listed}, TODAY).models == shipped_listing().models
