"""fal's prices and arguments of the day, before a run."""

from __future__ import annotations

import json
from datetime import date, timedelta

import pytest
from tests.hosted.fal_simulator import list_models, list_prices

from tiomagic import TioMagic
from tiomagic_domain.errors import APIError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_hosted.catalogue.fal import CATALOGUE, H3_MAX, KLING_PRO
from tiomagic_hosted.catalogue.fal_live import (
    ENDPOINTS,
    PRICES_FILE,
    SCHEMAS_FILE,
    build_catalogue,
)
from tiomagic_hosted.services.fal import FalService

TODAY = date(2026, 11, 30)


@pytest.fixture
def live(site, tmp_path):
    """The models of fal in a process that may ask fal; of a day."""

    def build(day=TODAY):
        service = FalService(site.key)
        return build_catalogue(
            tmp_path / "cache",
            lambda: service.list_prices(ENDPOINTS),
            lambda: service.list_schemas(ENDPOINTS),
            lambda: day,
        )

    return build


@pytest.fixture
def offline(tmp_path):
    """The models of fal in another process, which asks for nothing."""
    return lambda day=TODAY: build_catalogue(tmp_path / "cache", None, None, lambda: day)


@pytest.fixture
def fox(request_for):
    """A call of five seconds at 768p, unless it says something else."""

    def build(**arguments):
        return request_for(Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a fox", **arguments)

    return build


@pytest.fixture
def dance(request_for):
    """A call with one price for all its seconds."""
    return request_for(
        Feature.POSE_GUIDANCE, KLING_PRO, prompt="a fox", image=b"one", guiding_video=b"two"
    )


def inputs_of(site, path):
    (one,) = (one for one in site.models["models"] if one["endpoint_id"] == path)
    return one["openapi"]["components"]["schemas"]["Input"]["properties"]


def test_a_newer_price_is_fetched_once_a_day_and_kept(site, live, offline, fox, dance):
    """Also for another process; a quote asks for nothing."""
    site.prices, site.models = list_prices(0.1), list_models()
    catalogue = live()
    assert catalogue.quote(fox(), today=TODAY) == CATALOGUE.quote(fox(), today=TODAY)
    assert site.seen == {}
    for _ in range(2):
        catalogue.ask_ahead(fox())
    assert site.seen == {"models/pricing": 1, "models": 1}
    quote = offline().quote(dance, today=TODAY)
    assert quote.as_of == TODAY
    assert "at 0.1 USD a second (price of 2026-11-30, api.fal.ai/v1/models/pricing)" in quote.basis
    assert [one.amount for one in offline().list_prices(KLING_PRO, Feature.POSE_GUIDANCE)] == [0.1]
    live(TODAY + timedelta(days=1)).ask_ahead(fox())
    assert site.seen == {"models/pricing": 2, "models": 2}


@pytest.mark.parametrize(("resolution", "amount"), [("480p", 0.5), ("768p", 0.8), ("1080p", 1.6)])
def test_a_price_for_several_rates_is_that_of_the_lowest(site, live, fox, resolution, amount):
    """Larger ones are billed as more units; the basis says where the ratio is from."""
    site.prices = list_prices(0.1)
    catalogue = live()
    catalogue.ask_ahead(fox())
    quote = catalogue.quote(fox(resolution=resolution), today=TODAY)
    assert quote.amount == pytest.approx(amount)
    assert "in the proportions of fal.ai/models/minimax/h3-max" in quote.basis


def test_an_older_answer_holds_where_fal_is_out_of_reach(site, live, fox, dance, cut_off):
    """With its day."""
    site.prices, site.models = list_prices(0.1), list_models()
    live().ask_ahead(fox())
    with cut_off():
        later = live(TODAY + timedelta(days=9))
        later.ask_ahead(fox())
    assert later.quote(dance, today=TODAY).as_of == TODAY
    assert later.schemas.find().as_of == TODAY


@pytest.mark.parametrize(
    "prices",
    [
        None,
        [],
        {"prices": "none"},
        {"prices": [None, {"unit_price": 1}, {"endpoint_id": ["odd"], "unit_price": 1}]},
        list_prices(unit="compute seconds"),  # Of a GPU, not of the video.
        list_prices(unit="videos"),  # Not the unit of our list.
        list_prices(0),
        list_prices(float("nan")),
        list_prices("0.1"),
        {"prices": [{**one, "currency": "EUR"} for one in list_prices()["prices"]]},
    ],
)
def test_a_price_that_is_not_known_leaves_the_shipped_one(site, live, fox, dance, prices):
    """With the day of that."""
    site.prices = prices
    catalogue = live()
    catalogue.ask_ahead(fox())
    for request in (fox(), dance):
        assert catalogue.quote(request, today=TODAY) == CATALOGUE.quote(request, today=TODAY)


def test_a_price_older_than_the_shipped_one_is_not_used(site, live, fox):
    """A newer tiomagic may come with newer prices than those that were kept."""
    site.prices = list_prices(0.1)
    catalogue = live(date(2026, 9, 1))
    catalogue.ask_ahead(fox())
    assert catalogue.quote(fox(), today=TODAY).as_of == date(2026, 9, 28)


@pytest.mark.parametrize(
    ("changed", "arguments", "words"),
    [
        (
            {"resolution": {"enum": ["480P", "768P"]}},
            {"resolution": "1080p"},
            (
                r"resolution: .* no '1080P' any more \(schema of 2026-11-30\); "
                r"it takes 480P, 768P; for example resolution='480p'"
            ),
        ),
        (
            {"duration": {"type": "integer", "minimum": 5, "maximum": 10}},
            {"seconds": 12},
            "num_frames: .* takes no 12 s any more .*it takes 5 to 10; the nearest is seconds=10",
        ),
        (
            {"duration": {"anyOf": [{"enum": ["6", "8"]}, {"type": "null"}]}},
            {"seconds": 9},
            "it takes 6, 8; the nearest is seconds=8",
        ),
        (
            {"prompt": {"type": "string", "maxLength": 4}},
            {},
            "prompt: .* takes no 'a fox' any more .*it takes at most 4 characters",
        ),
        ({"aspect_ratio": None}, {}, "aspect: .* has no such argument any more .*it has duration"),
    ],
)
def test_what_fal_no_longer_takes_is_refused(site, live, fox, changed, arguments, words):
    """With what it takes now, and the nearest in words of ours."""
    site.models = list_models()
    properties = inputs_of(site, "minimax/h3-max/text-to-video")
    properties.update(changed)
    for name in [name for name, one in properties.items() if one is None]:
        del properties[name]
    with pytest.raises(ValidationError, match=words):
        live().ask_ahead(fox(**arguments))


def test_an_argument_of_every_call_that_is_gone_is_no_fault_of_the_call(site, live, fox):
    """So another provider of a list may be tried."""
    site.models = list_models()
    del inputs_of(site, "minimax/h3-max/text-to-video")["prompt_expansion_mode"]
    with pytest.raises(APIError, match=r"'prompt_expansion_mode'.*a newer tiomagic"):
        live().ask_ahead(fox())


def test_a_picture_whose_argument_is_gone_is_refused(site, live, dance):
    """Its address is not compared: it has none before the run."""
    site.models = list_models()
    properties = inputs_of(site, "fal-ai/kling-video/v3/pro/motion-control")
    properties["video_url"] = {"type": "string", "enum": ["another"]}
    live().ask_ahead(dance)
    del properties["image_url"]
    with pytest.raises(ValidationError, match=r"image: .*no such argument"):
        live(TODAY + timedelta(days=1)).ask_ahead(dance)


@pytest.mark.parametrize(
    "odd",
    [
        {"duration": {"anyOf": [{"type": "integer"}, {"enum": ["auto"]}]}},
        {"duration": {"$ref": "#/components/schemas/Gone"}},
        {"duration": {"minimum": "5", "maximum": None, "enum": "odd", "allOf": {}}},
        {"resolution": {"$ref": "#/components/schemas/Input"}, "duration": []},
        {"new": {"type": "string"}},
    ],
)
def test_what_is_not_known_of_a_schema_refuses_nothing(site, live, fox, odd):
    """Nor what is new in it."""
    site.models = list_models()
    inputs_of(site, "minimax/h3-max/text-to-video").update(odd)
    live().ask_ahead(fox(seed=5))


def test_a_schema_that_refers_to_itself_ends(site, live, fox):
    site.models = list_models()
    for one in site.models["models"]:
        schemas = one["openapi"]["components"]["schemas"]
        schemas["Resolution"] = {"$ref": "#/components/schemas/Resolution"}
    live().ask_ahead(fox())


@pytest.mark.parametrize(
    "openapi",
    [None, [], {"paths": {}, "components": {}}, {"paths": [], "components": {"schemas": {}}}],
)
def test_a_document_of_another_form_changes_nothing(site, live, tmp_path, fox, openapi):
    """And is not kept."""
    site.models = {"models": [{**one, "openapi": openapi} for one in list_models()["models"]]}
    live().ask_ahead(fox())
    assert not (tmp_path / "cache" / SCHEMAS_FILE).exists()


@pytest.mark.parametrize("text", ["", "{", "[]", '{"as_of": "2026-11-01", "models": 5}'])
def test_a_kept_answer_that_is_not_whole_is_not_used(offline, tmp_path, fox, text):
    (tmp_path / "cache").mkdir()
    for name in (PRICES_FILE, SCHEMAS_FILE):
        (tmp_path / "cache" / name).write_text(text)
    offline().ask_ahead(fox())
    assert offline().quote(fox(), today=TODAY) == CATALOGUE.quote(fox(), today=TODAY)


def test_a_user_gets_the_price_of_the_day_and_no_run_that_fal_refuses(site, tmp_path, monkeypatch):
    """The job has the fetched price; a refused call is not sent; the key is in no kept file."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "home"))
    site.prices, site.models = list_prices(0.1), list_models()
    inputs_of(site, "minimax/h3-max/text-to-video")["resolution"] = {"enum": ["480P", "768P"]}
    tm = TioMagic(working_dir=tmp_path, provider="fal", fal_key=site.key, allow_private_media=True)
    with pytest.raises(ValidationError, match="it takes 480P, 768P"):
        tm.text_to_video(prompt="a fox", resolution="1080p")
    assert site.runs == {}
    assert tm.list_jobs() == []
    job = tm.text_to_video(prompt="a fox")
    assert "api.fal.ai/v1/models/pricing" in job.to_dict()["facts"]["estimate"]["basis"]
    assert job.to_dict()["facts"]["estimate"]["amount"] == pytest.approx(0.8)
    job.result()
    tm.close()
    kept = list((tmp_path / "home").rglob("fal-*.json"))
    assert {path.name for path in kept} == {PRICES_FILE, SCHEMAS_FILE}
    for path in kept:
        assert site.key not in path.read_text()
        assert set(json.loads(path.read_text())) <= {"as_of", "prices", "models"}
