"""How estimates are asked for: whose figures they have, and what they cost the store."""

import pytest
from tests.domain.counting import CountingRepository

from tiomagic_domain.features import Feature
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import ESTIMATE, Estimate
from tiomagic_domain.ports.known_runs import estimate_from_cost
from tiomagic_domain.ports.preflight import RunTime
from tiomagic_domain.testing import FakeClock, FakeMediaReader, FakeOutputStore, FakeProvider
from tiomagic_domain.usecases.generation import Generation

TIME = RunTime(seconds=1800, basis="2 runs of this size measured", is_measured=True)


@pytest.mark.parametrize(
    ("cost", "time", "amount"),
    [
        (Cost(amount=0.25), None, 0.25),
        (Cost(amount=4.0, per="hour"), TIME, 2.0),
        (Cost(amount=4.0, per="hour"), None, None),
        (Cost(amount=3.0, per="token"), TIME, None),
        (None, TIME, None),
    ],
)
def test_a_provider_that_says_its_cost_has_an_estimate(cost, time, amount):
    """Of a run, or of an hour where the time is known."""
    estimate = estimate_from_cost(cost, time)
    assert estimate.amount == amount
    assert estimate.seconds == (None if time is None else 1800)
    assert estimate.is_empty == (cost is None and time is None)


class QuotingProvider(FakeProvider):
    """A provider that counts what it is asked, and gives what it is told to."""

    quote = Estimate(amount=0.5)

    def estimate(self, request, known):
        """Return the quote, and keep what was known."""
        self.known = known
        return self.quote


@pytest.fixture
def parts(tmp_path):
    class Parts:
        repository, clock = CountingRepository(), FakeClock()
        provider = QuotingProvider(tmp_path / "spool", name="modal")
        generation = Generation(
            providers={"modal": provider},
            repository=repository,
            outputs=FakeOutputStore(tmp_path / "videos"),
            media=FakeMediaReader(tmp_path / "inputs"),
            clock=clock,
            count_operations=lambda _card, _settings: 42.0,
        )

        def submit(self):
            self.repository.calls.clear()
            call = {"provider": "modal", "model": None, "arguments": {"prompt": "a fox"}}
            return self.generation.submit(Feature.TEXT_TO_VIDEO, **call)

    return Parts()


def test_a_provider_gets_the_time_the_work_and_the_runs(parts):
    """Only completed runs of its own model there count."""
    first = parts.submit()
    while not parts.generation.check(first.job_id).status.is_terminal:
        parts.clock.advance(1)
    second = parts.submit()
    known = parts.provider.known
    assert [job.job_id for job in known.past] == [first.job_id]
    assert known.at == parts.clock.now()
    assert known.count_operations(None, {}) == 42.0
    assert known.settings["num_frames"] == second.optional_args["num_frames"]


def test_a_run_that_costs_nothing_looks_for_no_runs(parts):
    """A job on this machine is submitted with as few reads as before."""
    parts.submit()
    assert parts.repository.calls["list"] == 1
    parts.provider.quote = Estimate(amount=0.0)
    job = parts.submit()
    assert "list" not in parts.repository.calls
    assert ESTIMATE not in job.facts
