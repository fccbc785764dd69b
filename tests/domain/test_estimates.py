"""The estimate of a run: its arithmetic, its plain data, and the date of its price."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiomagic_domain.money.estimate import ESTIMATE, Estimate, read_estimate
from tiomagic_domain.money.price_dates import OLD_AFTER, describe_price_date

TODAY = date(2026, 11, 30)
amounts = st.floats(min_value=0, max_value=1e6, allow_subnormal=False)


@st.composite
def estimates(draw: st.DrawFn) -> Estimate:
    """Draw an estimate, with and without each figure."""
    low, amount, high = sorted(draw(st.tuples(amounts, amounts, amounts)))
    has_amount = draw(st.booleans())
    has_spread = has_amount and draw(st.booleans())
    return Estimate(
        seconds=draw(st.none() | amounts),
        amount=amount if has_amount else None,
        low=low if has_spread else None,
        high=high if has_spread else None,
        currency=draw(st.sampled_from(["USD", "EUR"])),
        basis=draw(st.text(max_size=20)),
        as_of=draw(st.none() | st.dates()),
        parts=draw(st.dictionaries(st.sampled_from(["run", "cold_start", "idle"]), amounts)),
    )


@given(estimates())
def test_plain_data_gives_the_same_estimate_again(estimate: Estimate) -> None:
    """What is stored with a job is what was said."""
    assert Estimate.from_dict(estimate.to_dict()) == estimate
    assert read_estimate({ESTIMATE: estimate.to_dict()}) == estimate


@given(estimates(), st.integers(min_value=0, max_value=100))
def test_several_runs_cost_as_many_times_as_much(estimate: Estimate, count: int) -> None:
    """Each figure grows alike, what is not known stays unknown, and the order stays."""
    several = estimate.times(count)
    for name in ("seconds", "amount", "low", "high"):
        one, all_of_them = getattr(estimate, name), getattr(several, name)
        assert all_of_them == (None if one is None else one * count)
    assert several.parts == {name: part * count for name, part in estimate.parts.items()}
    assert (several.currency, several.basis) == (estimate.currency, estimate.basis)


@given(estimates(), st.integers(min_value=1, max_value=9), st.integers(min_value=1, max_value=9))
def test_to_multiply_twice_is_to_multiply_by_the_product(
    estimate: Estimate, first: int, second: int
) -> None:
    """The order of the counts does not matter."""
    twice, once = estimate.times(first).times(second), estimate.times(first * second)
    assert twice.amount == pytest.approx(once.amount)
    assert twice.most == pytest.approx(once.most)


@given(estimates())
def test_the_most_is_never_less_than_the_amount(estimate: Estimate) -> None:
    """A limit that holds for the most holds for the amount."""
    if estimate.amount is None:
        assert estimate.most is None
        assert not estimate.is_free
    else:
        assert estimate.most is not None
        assert estimate.most >= estimate.amount
        assert estimate.is_free == (estimate.most == 0)


@pytest.mark.parametrize(
    ("figures", "said"),
    [
        ({"amount": -0.01}, "amount"),
        ({"seconds": float("nan")}, "seconds"),
        ({"amount": float("inf")}, "amount"),
        ({"parts": {"idle": -1.0}}, "idle"),
        ({"low": 1.0}, "needs an amount"),
        ({"amount": 1.0, "low": 2.0}, "order"),
        ({"amount": 1.0, "high": 0.5}, "order"),
    ],
)
def test_a_figure_that_cannot_be_is_refused(figures: dict[str, float], said: str) -> None:
    """A wrong estimate is found where it is made."""
    with pytest.raises(ValueError, match=said):
        Estimate(**figures)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "stored",
    [
        {"amount": "0.4"},
        {"amount": True},
        {"as_of": "yesterday"},
        {"as_of": 20260928},
        {"parts": [1]},
        {"amount": 1.0, "low": 3.0},
    ],
)
def test_a_stored_estimate_that_cannot_be_read_is_none(stored: dict[str, object]) -> None:
    """A record of another version stops nothing."""
    with pytest.raises(ValueError, match=r"estimate|date|isoformat"):
        Estimate.from_dict(stored)
    assert read_estimate({ESTIMATE: stored}) is None


def test_a_job_without_an_estimate_has_none() -> None:
    """Jobs of former versions have no such fact."""
    assert read_estimate({}) is None
    assert read_estimate({ESTIMATE: "0.4 USD"}) is None


def test_an_old_price_says_so() -> None:
    """Up to half a year the date alone is told."""
    fresh = describe_price_date(TODAY - OLD_AFTER, TODAY)
    assert fresh == "price of 2026-06-03"
    old = describe_price_date(TODAY - OLD_AFTER - timedelta(days=1), TODAY)
    assert old == "price of 2026-06-02, which is 181 days old and may have changed"


def test_an_estimate_cannot_be_changed_into_a_wrong_one() -> None:
    """Also a changed copy is checked."""
    estimate = Estimate(amount=1.0, low=0.5, high=2.0)
    with pytest.raises(ValueError, match="order"):
        replace(estimate, amount=3.0)
