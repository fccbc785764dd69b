"""Limits of what runs may cost, and several providers for one call."""

from dataclasses import replace

import pytest

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    GenerationError,
    MissingDependencyError,
    ProcessingError,
    UnknownModelError,
    UnknownProviderError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.money.amounts import Money
from tiomagic_domain.money.budgets import Budget, BudgetPeriod
from tiomagic_domain.money.charges import find_charge
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.spending.limits import CostLimits
from tiomagic_domain.testing import FakeProvider
from tiomagic_domain.usecases.generation import Generation

CALL = {"prompt": "a fox", "num_frames": 81, "width": 832, "height": 480}


class PricedProvider(FakeProvider):
    """A provider with a price for each frame of so many pixels; None for no known price."""

    price = None
    currency = "USD"

    def estimate(self, request, known):
        if self.price is None:
            return Estimate(basis="no price list is known")
        settings = request.job.optional_args
        pixels = settings["width"] * settings["height"] / (832 * 480)
        amount = self.price * settings["num_frames"] * pixels
        return Estimate(
            amount=amount, low=amount / 2, high=amount * 1.25, currency=self.currency, basis="list"
        )


class Studio:
    """Generation with providers that have prices: local costs nothing."""

    def __init__(self, parts, tmp_path):
        self.parts = parts
        self.limits = CostLimits()
        self.local, self.modal, self.other = (
            PricedProvider(tmp_path / "spool", name=name, blocking=name == "local")
            for name in ("local", "modal", "other")
        )
        self.local.price, self.modal.price, self.other.price = 0, 0.01, 0.001
        providers = {one.name: one for one in (self.local, self.modal, self.other)}
        self.generation = Generation(
            providers=providers,
            repository=parts.repository,
            outputs=parts.outputs,
            media=parts.media,
            clock=parts.clock,
            limits=lambda: self.limits,
        )

    def submit(self, provider="modal", **options):
        given = {**CALL, **options.pop("arguments", {})}
        options = {"model": "wan2.1-t2v-14b", **options}
        feature = Feature.TEXT_TO_VIDEO
        return self.generation.submit(feature, provider=provider, arguments=given, **options)

    @property
    def stored(self):
        return list(self.parts.repository.jobs.values())

    @property
    def sent(self):
        return [*self.local.submitted, *self.modal.submitted, *self.other.submitted]


@pytest.fixture
def studio(parts, tmp_path):
    """A house with a free provider and two that cost money."""
    return Studio(parts, tmp_path)


def test_a_run_above_its_limit_is_refused_before_anything_is_stored(studio):
    """The error has the estimate, the limit, and what would fit: shorter, smaller, elsewhere."""
    with pytest.raises(ConfigurationError) as caught:
        studio.submit(max_cost=0.5)
    error = caught.value
    assert (error.code, studio.stored, studio.sent) == ("over_budget", [], [])
    for said in ("wan2.1-t2v-14b was not run on modal", "0.40 to 1.02 USD", "max_cost is 0.50 USD"):
        assert said in error.message
    assert "make it 37 frames long, which is 2.3 s and costs up to 0.47 USD" in error.message
    shorter, smaller, elsewhere = error.details["nearest"]
    assert shorter == {"num_frames": 37, "most": "0.4625 USD"}
    assert (smaller["width"], smaller["height"]) == (528, 304)
    assert elsewhere == {"provider": "local", "most": "0.00 USD"}
    assert error.details["alternatives"] == [{"kind": "provider", "name": "local", "note": ""}]
    assert error.details["estimate"]["high"] == pytest.approx(1.0125)


def test_what_is_near_does_fit(studio):
    """Each of the proposed changes is within the limit."""
    with pytest.raises(ConfigurationError) as caught:
        studio.submit(max_cost=0.5)
    shorter, smaller, _ = caught.value.details["nearest"]
    for change in (shorter, smaller):
        arguments = {name: value for name, value in change.items() if name != "most"}
        assert studio.submit(max_cost=0.5, arguments=arguments).status == "queued"
    assert studio.submit("local", max_cost=0.5).status == "completed"


def test_a_limit_that_is_reached_is_not_passed(studio):
    """The most that a run may cost may be the limit itself; force changes nothing about it."""
    assert studio.submit(max_cost="1.0125").facts["estimate"]["high"] == pytest.approx(1.0125)
    with pytest.raises(ConfigurationError, match="max_cost"):
        studio.submit(max_cost="1.01", force=True)


def test_the_limit_for_all_calls(studio):
    """A limit that is set holds for each call, and a call may have another one."""
    studio.limits = CostLimits(max_cost=Money.of(0.5))
    with pytest.raises(ConfigurationError, match=r"max_cost is 0\.50 USD"):
        studio.submit()
    assert studio.submit(max_cost=2).status == "queued"


def test_a_price_that_is_not_known_is_above_every_limit(studio):
    """Without an estimate a limit cannot be kept: the run is refused, and says so."""
    studio.modal.price = None
    with pytest.raises(ConfigurationError, match=r"not known \(no price list is known\)") as caught:
        studio.submit(max_cost=100)
    assert (caught.value.code, caught.value.details["nearest"]) == ("over_budget", [])
    studio.limits = CostLimits(budgets=(Budget(period=BudgetPeriod.DAY, limit=Money.of(100)),))
    with pytest.raises(ConfigurationError, match="daily_budget"):
        studio.submit()
    studio.limits = CostLimits()
    assert studio.submit().status == "queued"


def test_a_run_that_costs_nothing_always_passes(studio):
    """Runs on this machine are within any limit, and are no part of a budget."""
    studio.limits = CostLimits(budgets=(Budget(period=BudgetPeriod.DAY, limit=Money.of(0)),))
    job = studio.submit("local", max_cost=0)
    assert (job.status, find_charge(job)) == ("completed", None)


def test_currencies_are_not_compared(studio):
    """A limit in another currency than the price is refused, with what to do."""
    studio.modal.currency = "EUR"
    with pytest.raises(ConfigurationError, match=r"2\.00 USD is in another currency.*EUR"):
        studio.submit(max_cost=2)
    assert studio.submit(max_cost="2 EUR").status == "queued"


@pytest.mark.parametrize("given", [-1, "much", True, float("nan"), [1]])
def test_a_limit_that_is_no_amount_is_refused(studio, given):
    """The error names the argument and shows an amount."""
    with pytest.raises(ValidationError, match=r"max_cost: must be an amount.*2\.50") as caught:
        studio.submit(max_cost=given)
    assert caught.value.field == "max_cost"
    assert studio.stored == []


def test_a_budget_is_filled_and_not_passed(studio):
    """Jobs are sent while there is room; the error names the budget, what is left and what fits."""
    studio.limits = CostLimits(budgets=(Budget(period=BudgetPeriod.DAY, limit=Money.of(2.2)),))
    assert [studio.submit().status for _ in range(2)] == ["queued", "queued"]
    with pytest.raises(ConfigurationError) as caught:
        studio.submit()
    error = caught.value
    assert "of daily_budget 2.20 USD 0.17 USD are left today (UTC)" in error.message
    assert error.details["nearest"][0] == {"num_frames": 13, "most": "0.1625 USD"}
    assert len(studio.sent) == len(studio.stored) == 2


def test_a_budget_has_room_again_when_a_run_cost_less(studio):
    """The real cost takes the place of the estimate."""
    studio.limits = CostLimits(budgets=(Budget(period=BudgetPeriod.DAY, limit=Money.of(1.1)),))
    job = studio.submit()
    with pytest.raises(ConfigurationError, match="daily_budget"):
        studio.submit()
    cost = {"amount": 0.05, "currency": "USD", "per": "run"}
    stored = studio.parts.repository.get(job.job_id)
    studio.parts.repository.save(
        stored.to(
            JobStatus.FAILED, at=studio.parts.clock.now(), facts={**stored.facts, "cost": cost}
        )
    )
    assert studio.submit().status == "queued"


def test_a_job_that_was_refused_by_its_provider_counts_for_nothing(studio):
    """A submission that started nothing is billed nothing; one without an answer may be."""
    studio.modal.unreachable = True
    with pytest.raises(APIError, match="cannot be reached"):
        studio.submit()
    (failed,) = studio.stored
    assert (failed.status, failed.facts["not_sent"], find_charge(failed)) == ("failed", True, None)
    studio.modal.unreachable = False
    studio.modal.loses_answers = True
    job = studio.submit()
    assert find_charge(studio.parts.repository.get(job.job_id)).money == Money.of(1.0125)


def test_a_bug_after_a_submission_is_no_refusal(studio):
    """What a provider answers and cannot be read may be a run: its estimate counts."""
    studio.modal.submit = lambda request, observer: "what?"
    with pytest.raises(ProcessingError):
        studio.submit()
    (failed,) = studio.stored
    assert failed.status == "failed"
    assert find_charge(failed).money == Money.of(1.0125)


def test_a_job_store_without_sums_says_so(studio, parts):
    """A budget needs a store that sums costs: without, nothing is sent that costs money."""
    store = parts.repository

    class PlainStore:
        add, get, save, list, count = store.add, store.get, store.save, store.list, store.count

    generation = Generation(
        providers={"modal": studio.modal, "local": studio.local},
        repository=PlainStore(),
        outputs=parts.outputs,
        media=parts.media,
        clock=parts.clock,
        limits=lambda: CostLimits(budgets=(Budget(period=BudgetPeriod.DAY, limit=Money.of(100)),)),
    )
    options = {"model": "wan2.1-t2v-14b", "arguments": CALL}
    with pytest.raises(ConfigurationError) as caught:
        generation.submit(Feature.TEXT_TO_VIDEO, provider="modal", **options)
    assert (caught.value.code, studio.sent) == ("no_budgets", [])
    job = generation.submit(Feature.TEXT_TO_VIDEO, provider="local", **options)
    assert job.status == "completed"


def test_a_plan_says_what_a_submission_would(studio):
    """A run above a limit cannot run; budgets are read, and nothing is stored."""
    budget = Budget(period=BudgetPeriod.DAY, limit=Money.of(1.5))
    look = studio.generation.look_ahead
    call = {"model": "wan2.1-t2v-14b", "arguments": CALL}
    _, found = look(Feature.TEXT_TO_VIDEO, provider="modal", max_cost=0.5, **call)
    (check,) = found.problems
    assert (check.part, found.can_run) == ("cost", False)
    assert "max_cost is 0.50 USD" in check.message
    studio.limits = CostLimits(budgets=(budget,))
    assert look(Feature.TEXT_TO_VIDEO, provider="modal", **call)[1].can_run
    studio.submit()
    _, found = look(Feature.TEXT_TO_VIDEO, provider="modal", **call)
    assert "0.48 USD are left today" in found.problems[0].message
    assert len(studio.stored) == 1


# Several providers.

ALL = ("other", "modal", "local")


def refuse(provider, error):
    provider.rejection = error


@pytest.mark.parametrize(
    "error",
    [
        ConfigurationError("there is no GPU", code="does_not_fit"),
        AuthenticationError("it needs a key"),
        MissingDependencyError("pip install 'tiomagic[fal]'"),
        APIError("it is down", code="unreachable", retryable=True),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_provider_that_cannot_run_it_is_passed_over(studio, error):
    """The next one runs it, and the record says why the first did not."""
    studio.other.rejection = error
    job = studio.submit(ALL)
    assert (job.provider, job.status, len(studio.stored)) == ("modal", "queued", 1)
    (passed,) = job.facts["passed_over"]
    assert (passed["provider"], passed["code"]) == ("other", error.code)
    assert (passed["reason"], passed["job_id"]) == (error.message, None)


def test_the_first_that_can_is_alone(studio):
    """Where the first one runs it, no other is asked, and the record has nothing of it."""
    job = studio.submit(ALL)
    assert (job.provider, "passed_over" in job.facts) == ("other", False)
    assert studio.modal.checked == studio.local.checked == []


def test_a_provider_over_budget_is_passed_over(studio):
    """A limit is one of the reasons, per call and per day."""
    job = studio.submit(("modal", "other"), max_cost=0.5)
    assert job.provider == "other"
    assert "max_cost" in job.facts["passed_over"][0]["reason"]
    studio.limits = CostLimits(budgets=(Budget(period=BudgetPeriod.DAY, limit=Money.of(1)),))
    assert studio.submit(("modal", "local")).provider == "local"


def test_a_service_that_is_down_is_passed_over_with_its_job(studio):
    """The failed job stays in the record, and its key goes to the one that runs."""
    studio.other.unreachable = True
    job = studio.submit(ALL, key="order-7")
    (passed,) = job.facts["passed_over"]
    failed = studio.parts.repository.get(passed["job_id"])
    assert (failed.status, failed.provider, find_charge(failed)) == ("failed", "other", None)
    assert (job.provider, job.idempotency_key, failed.idempotency_key) == (
        "modal",
        "order-7",
        None,
    )


def test_a_repeated_call_with_a_key_is_the_same_job(studio):
    """Whoever can run it now: the job is at the provider that took it."""
    studio.other.unreachable = True
    first = studio.submit(ALL, key="order-7")
    studio.other.unreachable = False
    again = studio.submit(ALL, key="order-7")
    assert (again.job_id, len(studio.modal.runs), len(studio.other.runs)) == (first.job_id, 1, 0)


def test_a_run_that_had_too_little_memory_is_passed_over(studio):
    """A run on this machine has spent nothing: out of memory, the next provider gets it."""
    studio.local.failure = GenerationError("12 GiB are too little", code="out_of_memory")
    job = studio.submit(("local", "modal"))
    assert job.provider == "modal"
    assert job.facts["passed_over"][0]["code"] == "out_of_memory"
    studio.local.failure = GenerationError("values that are no numbers", code="not_finite")
    with pytest.raises(GenerationError, match="no numbers"):
        studio.submit(("local", "modal"))


@pytest.mark.parametrize("lost", ["loses_answers", "loses_requests"])
def test_after_a_lost_answer_no_other_is_tried(studio, lost):
    """The job may run already: it is looked up, and nothing is sent a second time."""
    setattr(studio.other, lost, True)
    job = studio.submit(ALL)
    assert (job.provider, job.status) == ("other", "queued")
    assert studio.modal.submitted == studio.local.submitted == []


@pytest.mark.parametrize("code", ["answer_lost", "outcome_unknown"])
def test_an_error_with_an_unknown_outcome_ends_it(studio, code):
    """Whichever way a provider says that it does not know, no other one is tried."""
    studio.other.rejection = APIError("who knows", code=code, retryable=True)
    with pytest.raises(APIError, match="who knows"):
        studio.submit(ALL)
    assert studio.sent == []


def test_an_argument_that_is_not_legal_is_refused_at_once(studio):
    """Each provider would refuse it: the caller gets its error."""
    with pytest.raises(ValidationError, match="num_frames"):
        studio.submit(ALL, arguments={"num_frames": -1})
    studio.other.rejection = APIError("a bug of theirs", retryable=False)
    with pytest.raises(APIError, match="a bug"):
        studio.submit(ALL)


def test_a_name_that_is_none_is_refused_before_the_first(studio):
    """Each name is looked at, also of those that would not be needed."""
    with pytest.raises(UnknownProviderError, match=r"'modall'.*'modal'"):
        studio.submit(("other", "modall"))
    assert studio.stored == []


def test_none_of_them_can(studio):
    """The error has the reason of each."""
    studio.other.rejection = AuthenticationError("it needs a key")
    studio.modal.rejection = ConfigurationError("cannot run here:\n  - too little memory\n  - old")
    with pytest.raises(ConfigurationError) as caught:
        studio.submit(("other", "modal"))
    assert caught.value.code == "all_passed_over"
    assert "other: it needs a key" in caught.value.message
    assert "modal: cannot run here: too little memory" in caught.value.message
    assert [one["provider"] for one in caught.value.details["passed_over"]] == ["other", "modal"]
    with pytest.raises(UnknownModelError, match="wan2"):
        studio.submit(("other", "modal"), model="wan2.1-t2v-14")


def test_a_plan_of_several_providers(studio):
    """The plan is of the one that would run it, and names those that would not."""
    call = {"model": "wan2.1-t2v-14b", "arguments": CALL}
    look, passed = studio.generation.look_ahead, []
    studio.other.rejection = ConfigurationError("not set up")
    request, found = look(
        Feature.TEXT_TO_VIDEO, provider=ALL, max_cost=0.5, on_passed=passed.append, **call
    )
    assert (request.job.provider, found.can_run) == ("local", True)
    assert [one.provider for one in passed] == ["other", "modal"]
    assert "max_cost" in passed[1].reason
    request, found = look(Feature.TEXT_TO_VIDEO, provider=("other", "modal"), max_cost=0, **call)
    assert (request.job.provider, found.can_run) == ("modal", False)


def test_the_recipe_of_such_a_job_runs_where_it_ran(studio):
    """A rerun goes to the provider that made the video."""
    studio.other.rejection = ConfigurationError("not set up")
    job = studio.submit(ALL)
    recipe = {
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "required_args": dict(job.required_args),
        "optional_args": dict(job.optional_args),
        "chosen": job.chosen.to_dict(),
    }
    again = studio.generation.rerun(recipe, overrides={})
    assert (again.provider, "passed_over" in again.facts) == ("modal", False)
    assert replace(again, facts={}).optional_args == job.optional_args
