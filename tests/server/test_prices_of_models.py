"""The list of models says what a run costs, in the form that OpenRouter's list has."""

from pathlib import Path

import httpx
from tests.server.conftest import run_server

from tiomagic import TioMagic
from tiomagic_domain.features import Feature
from tiomagic_domain.money.listed_price import ListedPrice, PriceUnit
from tiomagic_hosted.catalogue.fal import H3_MAX
from tiomagic_server.answering.models import name_prices


def price(amount: float, **when: object) -> ListedPrice:
    return ListedPrice(amount=amount, currency="USD", unit=PriceUnit.SECOND, when=when)


def test_the_models_of_a_vendor_have_its_prices(tmp_path: Path) -> None:
    """They are those of the estimates, by the kind of call; reading them needs no key."""
    tm = TioMagic(working_dir=tmp_path, provider="fal", announce_jobs=False)
    with run_server(tm) as url, httpx.Client(base_url=url, timeout=120) as client:
        listed = client.get("/v1/videos/models").raise_for_status().json()["data"]
    tm.close()
    skus = next(model["pricing_skus"] for model in listed if model["id"] == H3_MAX.name)
    assert skus["duration_seconds_1080p"] == "0.16"
    assert all(model["pricing_skus"] for model in listed)


def test_a_price_with_sound_is_named_as_openrouter_names_it() -> None:
    """Sound is said by its own words, other arguments by their values."""
    prices = {
        Feature.TEXT_TO_VIDEO: [
            price(0.4, resolution="4k", sound=True),
            price(0.00000125, resolution="4k", sound=False),
        ]
    }
    assert name_prices(prices) == {
        "duration_seconds_with_audio_4k": "0.4",
        "duration_seconds_without_audio_4k": "0.00000125",
    }


def test_features_of_different_prices_stand_in_the_names() -> None:
    """Where all cost the same, the name needs no feature."""
    same = {Feature.TEXT_TO_VIDEO: [price(1)], Feature.IMAGE_TO_VIDEO: [price(1)]}
    assert name_prices(same) == {"duration_seconds": "1"}
    different = {Feature.TEXT_TO_VIDEO: [price(1)], Feature.POSE_GUIDANCE: [price(2)]}
    assert name_prices(different) == {
        "text_to_video_duration_seconds": "1",
        "pose_guidance_duration_seconds": "2",
    }


def test_another_currency_is_left_out() -> None:
    """The form has no room for one, and no amount is worth more than a wrong one."""
    euro = ListedPrice(amount=1, currency="EUR", unit=PriceUnit.RUN)
    assert name_prices({Feature.TEXT_TO_VIDEO: [euro]}) == {}
