"""What calls cost by the vendors' price lists."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiomagic_domain.features import Feature
from tiomagic_domain.money.listed_price import PriceUnit
from tiomagic_hosted.catalogue.fal import CATALOGUE, H3_MAX, WAN_MOTION
from tiomagic_hosted.catalogue.prices import PriceList, Rate, find_video_seconds

TODAY = date(2026, 11, 30)


def price_list(*rates: Rate, **named) -> PriceList:
    return PriceList(rates=rates, source="example.com/prices", as_of=date(2026, 9, 28), **named)


@pytest.fixture
def fox(request_for):
    """A call of five seconds of video."""
    return request_for(Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a fox")


@pytest.mark.parametrize(
    ("resolution", "seconds", "amount"),
    [("480p", 5, 0.25), ("768p", 5, 0.40), ("1080p", 5, 0.80), ("1080p", 15, 2.40)],
)
def test_h3_costs_by_the_second_and_the_resolution(request_for, resolution, seconds, amount):
    """The figures are those of fal's page."""
    request = request_for(
        Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a fox", resolution=resolution, seconds=seconds
    )
    quote = CATALOGUE.quote(request, today=TODAY)
    assert quote.amount == pytest.approx(amount)
    assert (quote.low, quote.high, quote.currency) == (None, None, "USD")
    assert quote.as_of == date(2026, 9, 28)
    assert quote.basis == (
        f"{seconds} s at {amount / seconds:g} USD a second "
        "(price of 2026-09-28, fal.ai/models/minimax/h3-max)"
    )


def test_what_is_left_out_has_the_price_of_the_default(fox):
    """A form on a page knows only what was entered."""
    bare = replace(fox, job=replace(fox.job, optional_args={}))
    assert CATALOGUE.quote(bare, today=TODAY) == CATALOGUE.quote(fox, today=TODAY)


def test_another_fps_does_not_change_the_price(request_for):
    """The vendor makes the same seconds; they are only shown at another pace."""
    slow = request_for(Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a fox", fps=12, num_frames=240)
    assert CATALOGUE.quote(slow, today=TODAY).amount == pytest.approx(0.80)


def test_a_motion_costs_by_the_length_of_its_video(request_for):
    """The result is as long as the input."""
    request = request_for(
        Feature.POSE_GUIDANCE, WAN_MOTION, prompt="a fox", image=b"one", guiding_video=b"two"
    )
    video = request.media["guiding_video"]
    seconds = video.frames / video.fps
    assert CATALOGUE.quote(request, today=TODAY).amount == pytest.approx(0.06 * seconds)


def test_without_its_video_a_motion_has_a_rate_and_no_amount(request_for):
    """Nothing is guessed."""
    request = request_for(
        Feature.POSE_GUIDANCE, WAN_MOTION, prompt="a fox", image=b"one", guiding_video=b"two"
    )
    quote = CATALOGUE.quote(replace(request, media={}), today=TODAY)
    assert quote.amount is None
    assert "0.06 USD a second; the length is that of the input" in quote.basis


def test_every_model_of_a_vendor_has_a_price_list():
    """What runs for money says its price."""
    assert [key for key, endpoint in CATALOGUE.endpoints.items() if endpoint.prices is None] == []


def test_each_kind_of_call_of_a_model_has_a_rate(request_for):
    """No choice of the schema is left without a price."""
    for resolution in ("480p", "768p", "1080p"):
        request = request_for(
            Feature.IMAGE_TO_VIDEO, H3_MAX, prompt="a fox", image=b"one", resolution=resolution
        )
        assert CATALOGUE.quote(request, today=TODAY).amount is not None


def test_a_call_without_a_rate_has_no_amount(fox):
    """It is not billed like another kind by mistake."""
    prices = price_list(Rate(amount=1.0, unit=PriceUnit.RUN, when={"resolution": "4k"}))
    quote = prices.quote(fox, today=TODAY)
    assert quote.amount is None
    assert "no such call" in quote.basis


def test_a_price_in_credits_says_both(fox):
    """Some vendors sell credits."""
    prices = price_list(Rate(amount=25, unit=PriceUnit.RUN), credit=0.01)
    quote = prices.quote(fox, today=TODAY)
    assert quote.amount == pytest.approx(0.25)
    assert quote.basis.startswith("25 credits a run, 0.01 USD a credit (price of")


def test_an_unknown_part_of_a_price_is_a_spread(fox):
    """The amount is the usual one, and the most is told."""
    prices = price_list(Rate(amount=0.1, up_to=0.3, unit=PriceUnit.SECOND))
    quote = prices.quote(fox, today=TODAY)
    assert (quote.low, quote.amount, quote.high) == pytest.approx((0.5, 0.5, 1.5))


def test_an_old_price_list_says_so(fox):
    """Half a year later the vendor may ask for more."""
    later = date(2026, 9, 28) + timedelta(days=181)
    assert "181 days old and may have changed" in CATALOGUE.quote(fox, today=later).basis
    assert "old" not in CATALOGUE.quote(fox, today=later - timedelta(days=1)).basis


@given(
    amount=st.floats(min_value=0, max_value=100),
    more=st.floats(min_value=0, max_value=100),
    seconds=st.integers(min_value=5, max_value=15),
)
def test_the_price_grows_with_the_length(amount, more, seconds):
    """The whole is the rate times the seconds, with its spread, and free stays free."""
    request = _request_of(seconds)
    prices = price_list(Rate(amount=amount, up_to=amount + more, unit=PriceUnit.SECOND))
    quote = prices.quote(request, today=TODAY)
    assert find_video_seconds(request) == seconds
    assert quote.amount == pytest.approx(amount * seconds)
    assert quote.high == pytest.approx((amount + more) * seconds)
    assert quote.is_free == (amount + more == 0)


def _request_of(seconds: int):
    from tiomagic_domain.jobs.job import Job
    from tiomagic_domain.ports.provider import Request
    from tiomagic_domain.testing import FakeClock

    now = FakeClock().now()
    job = Job(
        job_id="one",
        feature=Feature.TEXT_TO_VIDEO,
        model=H3_MAX.name,
        provider="fal",
        creation_time=now,
        last_updated=now,
        optional_args={"num_frames": seconds * H3_MAX.fps},
    )
    return Request(job=job, card=H3_MAX)


def test_an_amount_has_no_dust_of_its_arithmetic(request_for):
    """A program that reads the plan gets 0.3, not 0.30000000000000004."""
    rate = Rate(amount=0.05, unit=PriceUnit.SECOND)
    request = request_for(Feature.TEXT_TO_VIDEO, H3_MAX, prompt="a fox", seconds=6)
    assert price_list(rate).quote(request, today=TODAY).amount == 0.3
