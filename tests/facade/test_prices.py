"""What a run is expected to cost and what it has cost, on each surface."""

from dataclasses import replace
from datetime import date

import pytest

from tiomagic import TioMagic
from tiomagic.cli.commands.status import describe_job
from tiomagic.display import notebook
from tiomagic.display.plans import describe_plan
from tiomagic.display.prices import (
    describe_amount,
    describe_job_cost,
    describe_parts,
    explain_job_cost,
    format_amount,
)
from tiomagic.ui.expectation import expected_run
from tiomagic.ui.form.expected_call import ExpectedCall
from tiomagic.ui.jobs.markup import facts as job_line
from tiomagic_domain.catalogue import models
from tiomagic_domain.features import Feature
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import ESTIMATE, Estimate
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.preflight.preflight import FitVerdict, Preflight
from tiomagic_domain.testing import FakeProvider, make_job

QUOTE = Estimate(
    seconds=90.0,
    amount=0.104,
    low=0.098,
    high=1.234,
    basis="3 runs of this size measured; 0.00116 USD a second of H100 (price of 2026-07-01)",
    as_of=date(2026, 7, 1),
    parts={"idle": 1.05, "run": 0.0823},
)


class PricedProvider(FakeProvider):
    """A provider that says its price."""

    quote = QUOTE

    def estimate(self, request, known):
        """Return the quote."""
        return self.quote


@pytest.fixture
def priced(tmp_path):
    return PricedProvider(tmp_path / "spool", name="modal", default_model="wan2.1-t2v-1.3b")


@pytest.fixture
def tm(priced):
    tm = TioMagic(provider="modal", overrides={"providers": {"modal": priced}})
    yield tm
    tm.close()


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        (0, "0.00"),
        (12.4, "12.40"),
        (0.1, "0.10"),
        (0.0823, "0.082"),
        (0.0016, "0.0016"),
        (0.000012, "0.000012"),
    ],
)
def test_an_amount_has_the_digits_that_count(amount, said):
    assert format_amount(amount) == said


def test_an_estimate_in_words():
    assert describe_amount(QUOTE) == "about 0.10 USD, 0.098 to 1.23"
    assert describe_parts(QUOTE) == "run 0.082, idle window 1.05 USD"
    fixed = Estimate(amount=0.4)
    assert (describe_amount(fixed), describe_parts(fixed)) == ("about 0.40 USD", None)


def test_what_costs_nothing_has_no_line():
    assert describe_amount(Estimate(amount=0.0, seconds=9.0)) is None
    assert describe_amount(Estimate(seconds=9.0)) is None
    assert describe_job_cost({}) is None
    assert explain_job_cost({}) is None


def test_a_plan_has_the_estimate(tm):
    """As plain data, and in lines with the parts and the basis."""
    plan = tm.plan("text_to_video", prompt="a fox")
    assert Estimate.from_dict(plan["estimate"]) == QUOTE
    lines = describe_plan(plan).splitlines()
    assert "cost      about 0.10 USD, 0.098 to 1.23" in lines
    assert "parts     run 0.082, idle window 1.05 USD" in lines
    assert f"basis     {QUOTE.basis}" in lines
    assert any(line.startswith("time      about 90 seconds") for line in lines)


def test_a_plan_without_an_amount_says_what_is_known(tm, priced):
    """The rate, where there is one."""
    priced.quote = Estimate(basis="0.06 USD a second; the length is that of the input")
    assert "\ncost" not in describe_plan(tm.plan("text_to_video", prompt="a fox"))
    priced.quote = replace(priced.quote, as_of=date(2026, 9, 28))
    said = describe_plan(tm.plan("text_to_video", prompt="a fox"))
    assert f"cost      unknown ({priced.quote.basis})" in said


def test_a_free_run_has_no_cost_in_its_plan_and_record(tm, priced):
    priced.quote = Estimate(amount=0.0, seconds=4.0, basis="measured")
    plan = tm.plan("text_to_video", prompt="a fox")
    assert plan["estimate"]["amount"] == 0
    assert "\ncost" not in describe_plan(plan)
    assert ESTIMATE not in tm.text_to_video(prompt="a fox").facts


def test_a_job_keeps_what_was_expected_and_gets_what_it_cost(tm, priced):
    """From submission to the end, in the status, the notebook and the page."""
    job = tm.text_to_video(prompt="a fox")
    assert Estimate.from_dict(job.facts[ESTIMATE]) == QUOTE
    assert f"cost      about 0.10 USD, 0.098 to 1.23 ({QUOTE.basis})" in describe_job(job)
    poll = priced.poll
    billed = Cost(amount=0.1123, basis="as the vendor says")
    priced.poll = lambda job: replace(poll(job), cost=billed)
    done = job.wait()
    assert done.facts["cost"] == billed.to_dict()
    shown = "0.11 USD (as the vendor says; about 0.10 USD, 0.098 to 1.23 expected)"
    assert f"cost      {shown}" in describe_job(done)
    stored = make_job(facts=done.facts)
    assert " · 0.11 USD" in job_line(stored)
    assert "0.11 USD" in notebook._numbers(stored)


def test_a_provider_that_cannot_estimate_stops_no_run(tm, priced, monkeypatch):
    """It may be another distribution's code."""

    def fail(request, known):
        raise RuntimeError("no price list")

    monkeypatch.setattr(priced, "estimate", fail)
    assert tm.plan("text_to_video", prompt="a fox")["estimate"] is None
    assert tm.text_to_video(prompt="a fox").wait().status == "completed"


def test_the_page_has_the_price_beside_the_button():
    """The amount in the line, its parts and basis below it, folded; none for a free run."""
    card = models()["wan2.1-t2v-1.3b"]
    call = ExpectedCall(feature=Feature.TEXT_TO_VIDEO, settings={}, known={})
    found = Preflight(
        card=card,
        provider="modal",
        conditions=RunConditions(),
        fit=FitVerdict.UNKNOWN,
        estimate=QUOTE,
    )
    shown = expected_run(card, call, found)
    assert "about 0.10 USD, 0.098 to 1.23</p>" in shown
    assert "<summary>Price of 2026-07-01: what it is based on</summary>" in shown
    assert f"run 0.082, idle window 1.05 USD. {QUOTE.basis}.</details>" in shown
    several = expected_run(card, call, found, count=3)
    assert "0.098 to 1.23 each</p>" in several
    free = expected_run(card, call, replace(found, estimate=Estimate(amount=0.0, seconds=2)))
    assert "USD" not in free
