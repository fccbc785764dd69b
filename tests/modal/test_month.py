"""A month of runs on a simulated Modal: how near the quotes come to the bills."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta

import pytest
from tests.modal.month import SimulatedModal

from tiomagic_domain.features import Feature
from tiomagic_domain.money.estimate import read_estimate
from tiomagic_domain.testing import FakeClock, FakeMediaReader, FakeOutputStore
from tiomagic_domain.usecases.generation import Generation
from tiomagic_local.preflight.run_time import count_run_operations
from tiomagic_storage import open_repository

LARGE, SMALL = {"width": 832, "height": 480}, {"width": 480, "height": 480}
CALLS = [
    ("wan2.1-t2v-14b", "H100", LARGE | {"num_frames": 81, "num_inference_steps": 50}),
    ("wan2.1-t2v-14b", "H100", SMALL | {"num_frames": 33, "num_inference_steps": 30}),
    ("wan2.1-t2v-14b", "A100-80GB", SMALL | {"num_frames": 33, "num_inference_steps": 30}),
    ("wan2.1-t2v-1.3b", "L40S", LARGE | {"num_frames": 81, "num_inference_steps": 50}),
    ("wan2.1-t2v-1.3b", "L40S", SMALL | {"num_frames": 81, "num_inference_steps": 25}),
    ("wan2.1-t2v-1.3b", "H100", LARGE | {"num_frames": 81, "num_inference_steps": 50}),
]
SIZES = [LARGE, SMALL, {"width": 480, "height": 832}, {"width": 640, "height": 384}]
DAYS, RUNS_A_DAY = 28, 6


class ForgetfulRepository:
    """A repository whose completed jobs are not found again."""

    def __init__(self, repository) -> None:
        self._repository = repository

    def __getattr__(self, name: str):
        return getattr(self._repository, name)

    def list(self, query):
        """Return nothing."""
        return []


class Month:
    """The month: the parts, and each run with its quote and its bill."""

    def __init__(self, folder, *, remembers: bool = True) -> None:
        self.clock = FakeClock(datetime(2026, 11, 1, 9, tzinfo=UTC))
        self.chance = random.Random(20)
        (folder / "spool").mkdir(parents=True)
        self.modal = SimulatedModal(folder / "spool", self.clock, self.chance)
        self.repository = open_repository(f"sqlite:///{folder}/jobs.db")
        seen = self.repository if remembers else ForgetfulRepository(self.repository)
        self.generation = Generation(
            providers={"modal": self.modal},
            repository=seen,
            outputs=FakeOutputStore(folder / "videos"),
            media=FakeMediaReader(folder / "inputs"),
            clock=self.clock,
            count_operations=count_run_operations,
        )
        self.runs = []

    def run(self, model: str, gpu: str, size: dict[str, int]) -> None:
        """Submit a call, wait for its end, and note the quote, the bill and the record."""
        self.modal.gpu = gpu
        arguments = {"prompt": "a fox", **size}
        call = {"provider": "modal", "model": model, "arguments": arguments}
        job = self.generation.submit(Feature.TEXT_TO_VIDEO, **call)
        done = self.generation.check(job.job_id)
        self.runs.append((read_estimate(done.facts), self.modal.bills[job.job_id], done))

    def draw_call(self) -> tuple[str, str, dict[str, int]]:
        """Return one of the usual calls, or as often one that was perhaps never made."""
        model, gpu, size = self.chance.choice(CALLS)
        if self.chance.random() < 0.5:
            return model, gpu, size
        frames = self.chance.choice([33, 49, 65, 81])
        steps = self.chance.choice([20, 25, 30, 40, 50])
        drawn = {"num_frames": frames, "num_inference_steps": steps}
        return model, gpu, self.chance.choice(SIZES) | drawn

    def live(self, days: int = DAYS) -> None:
        """Pass the days: in a session, calls of one kind follow each other, with pauses."""
        for day in range(days):
            self.clock.set(datetime(2026, 11, 1, 9, tzinfo=UTC) + timedelta(days=day))
            for _ in range(RUNS_A_DAY // 3):
                call = self.draw_call()
                for _ in range(3):
                    self.run(*call)
                    self.clock.advance(self.chance.choice([20, 60, 120, 900]))

    def share_within(self, part: float) -> float:
        """Return the share of runs whose quote was within a part of the bill."""
        near = [
            abs(quote.amount - bill.dollars) <= part * bill.dollars for quote, bill, _ in self.runs
        ]
        return sum(near) / len(near)


@pytest.fixture(scope="module")
def month(tmp_path_factory):
    """The month with its history."""
    month = Month(tmp_path_factory.mktemp("month"))
    month.live()
    yield month
    month.repository.close()


def test_nine_of_ten_quotes_are_within_a_fifth_of_the_bill(month):
    """The first runs of each kind count too."""
    assert len(month.runs) == DAYS * RUNS_A_DAY
    assert {bill.is_cold for _, bill, _ in month.runs} == {True, False}
    assert month.share_within(0.2) >= 0.9


def test_without_history_the_quotes_are_guesses(tmp_path):
    """What the share above is owed to."""
    month = Month(tmp_path, remembers=False)
    month.live(days=8)
    month.repository.close()
    assert month.share_within(0.2) < 0.7


def test_hardly_a_bill_is_above_the_highest_amount(month):
    """Whoever keeps to the highest amount is not surprised."""
    above = [bill.dollars > quote.high for quote, bill, _ in month.runs]
    assert sum(above) <= 0.02 * len(above)


def test_the_record_has_what_was_billed(month):
    """To the cent of a cent, with how it was found."""
    for _, bill, job in month.runs:
        assert job.facts["cost"]["amount"] == pytest.approx(bill.dollars, rel=1e-3)
        assert job.facts["cost"]["basis"].startswith("computed: ")
