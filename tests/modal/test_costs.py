"""What a run on Modal is expected to cost, and what it has cost."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.jobs.job import JobStatus
from tiomagic_domain.ports.known_runs import KnownRuns
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.testing import make_job
from tiomagic_modal.client.remote import Variant
from tiomagic_modal.costs import compute_cost, estimate_run, has_warm_container, price_per_second

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
CARD = find_model("wan2.1-t2v-1.3b")
SIZE = {"width": 832, "height": 480, "num_frames": 81, "num_inference_steps": 50}
H100_SECOND = 3.95 / 3600 + 2 * 0.0000131 + 16 * 0.00000222
"""Dollars: a GPU, two cores, 16 GiB."""


def variant(gpu="H100", window=300) -> Variant:
    return Variant(
        model=CARD.name, gpu=gpu, timeout_s=1800, scaledown_window_s=window, memory_mib=16 * 1024
    )


def done(seconds: float, *, gpu="H100", ago=3600.0, loading=0.0, starting=0.0, **sizes):
    """A job that was finished some time ago."""
    facts = {
        "gpu": gpu,
        "timeout_s": 1800,
        "scaledown_window_s": 300,
        "seconds": {"loading": loading, "denoising": seconds},
        "seconds_starting": starting,
    }
    job = make_job(model=CARD.name, optional_args=SIZE | sizes, facts=facts)
    ended = NOW - timedelta(seconds=ago)
    return replace(job, status=JobStatus.COMPLETED, ended_at=ended)


def known(*past, count=None, at=NOW) -> KnownRuns:
    counted = {} if count is None else {"count_operations": lambda _card, _settings: count}
    return KnownRuns(at=at, settings=SIZE, past=past, **counted)


def test_a_second_costs_gpu_cores_and_memory():
    assert price_per_second(variant()) == pytest.approx(H100_SECOND)
    four = price_per_second(variant("H100:4"))
    assert four == pytest.approx(H100_SECOND + 3 * 3.95 / 3600)
    assert price_per_second(variant(None)) == pytest.approx(4 * 0.0000131 + 16 * 0.00000222)
    assert price_per_second(variant("H900")) is None


def test_a_cold_start_counts_unless_a_container_is_warm():
    """As it was measured; the idle window is shown apart and is part of the most."""
    cold = done(100.0, loading=20.0, starting=10.0)
    estimate = estimate_run(CARD, known(cold), variant())
    assert estimate.seconds == pytest.approx(130)
    assert estimate.amount == pytest.approx(130 * H100_SECOND)
    assert estimate.parts == pytest.approx(
        {"run": 100 * H100_SECOND, "cold_start": 30 * H100_SECOND, "idle": 300 * H100_SECOND}
    )
    assert estimate.low == pytest.approx(80 * H100_SECOND)
    assert estimate.high == pytest.approx((125 + 30 + 300) * H100_SECOND)
    assert estimate.as_of == date(2026, 7, 1)
    warm = estimate_run(CARD, known(done(100.0, ago=60.0), cold), variant())
    assert (warm.seconds, warm.parts["cold_start"]) == (100, estimate.parts["cold_start"])
    assert "warm" in warm.basis


@pytest.mark.parametrize(
    ("job", "is_warm"),
    [
        (done(9.0, ago=299), True),
        (done(9.0, ago=301), False),
        (done(9.0, ago=10, gpu="H200"), False),
        (replace(done(9.0, ago=10), ended_at=None), False),
        (replace(done(9.0, ago=10), facts={"gpu": "H100", "timeout_s": 60}), False),
        (replace(done(9.0, ago=10), facts={"gpu": "H100", "scaledown_window_s": 9}), False),
    ],
)
def test_a_warm_container_is_one_of_the_same_pool_within_its_window(job, is_warm):
    assert has_warm_container(known(job), variant()) is is_warm


def test_a_run_on_another_gpu_is_scaled_by_the_speeds_of_the_makers():
    estimate = estimate_run(CARD, known(done(100.0, gpu="A100-80GB")), variant())
    assert estimate.parts["run"] == pytest.approx(100 * 312 / 989 * H100_SECOND)
    assert "on A100-80GB, scaled by the speed of the GPU" in estimate.basis


def test_an_l4_is_no_l40s():
    """Their names begin alike, and one takes three times as long."""
    estimate = estimate_run(CARD, known(done(300.0, gpu="L4")), variant("L40S"))
    assert "on L4, scaled" in estimate.basis


def test_without_any_run_the_operations_count():
    """A second of an H100 in use has 0.4 of 989 tera of them; a factor of two either way."""
    estimate = estimate_run(CARD, known(count=0.4 * 989e12 * 100), variant())
    assert estimate.parts["run"] == pytest.approx(1.15 * 100 * H100_SECOND)
    assert estimate.low == pytest.approx(estimate.parts["run"] / 2)
    assert "estimated from the model's size" in estimate.basis
    assert estimate.parts["cold_start"] == pytest.approx((30 + CARD.weights_gib) * H100_SECOND)


def test_what_is_not_known_has_no_amount():
    """The price of a second is said all the same, if it is known."""
    rate = estimate_run(CARD, known(), variant())
    assert (rate.seconds, rate.amount) == (None, None)
    assert "no run measured yet; 0.001159 USD a second of H100" in rate.basis
    unpriced = estimate_run(CARD, known(done(9.0, gpu="H900")), variant("H900"))
    assert unpriced.amount is None
    assert "no price of H900" in unpriced.basis


def test_an_old_price_says_so():
    later = datetime(2027, 1, 1, tzinfo=UTC)
    assert "184 days old" in estimate_run(CARD, known(done(9.0), at=later), variant()).basis


def finished(**facts) -> Report:
    return Report(status=JobStatus.QUEUED, facts=facts)


def test_a_finished_run_has_the_cost_of_its_containers_seconds():
    """All phases and the start before the first job; the idle window belongs to no job."""
    job = done(0.0)
    phases = {"loading": 20.0, "denoising": 70.0}
    report = compute_cost(job, finished(gpu="H100", seconds=phases, seconds_starting=10.0))
    assert report.cost is not None
    memory = 0.00000222 * 11
    second = 3.95 / 3600 + 2 * 0.0000131 + memory
    assert report.cost.amount == pytest.approx(100 * second, rel=0.02)
    assert report.cost.basis.startswith("computed: 100.0 s of H100 with CPU and memory at 0.0011")
    assert report.cost.per == "run"


@pytest.mark.parametrize(
    "facts",
    [
        {"seconds": None},
        {"seconds": {}, "seconds_starting": 0.0},
        {"seconds": {"denoising": "long"}, "seconds_starting": "?"},
        {"seconds": {"denoising": 9.0}, "gpu": "H900"},
        {"seconds": {"denoising": 9.0}, "gpu": 7},
    ],
)
def test_a_cost_that_cannot_be_known_is_none_and_loses_no_video(facts):
    report = finished(**facts)
    assert compute_cost(done(0.0), report) == report


def test_a_model_that_is_gone_loses_no_video():
    job = replace(done(0.0), model="of-a-removed-package")
    report = finished(gpu="H100", seconds={"denoising": 9.0})
    assert compute_cost(job, report) == report
