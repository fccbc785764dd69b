"""The memory plan: the fastest that fits, by numbers alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tiomagic_domain.catalogue import models
from tiomagic_local.memory import RESERVE_GIB, Choice, Demand, Plan, choose

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"

LARGE = Demand(weights_gib=39.6, largest_gib=26.6, pixels=832 * 480, frames=81)
SMALL = Demand(weights_gib=15.7, largest_gib=12.5, pixels=832 * 480, frames=81)


@pytest.mark.parametrize(
    ("demand", "free_gib", "expected"),
    [
        (LARGE, 79, Plan.RESIDENT),
        (LARGE, 50, Plan.RESIDENT),
        (LARGE, 47, Plan.MODEL_OFFLOAD),
        (LARGE, 40, Plan.MODEL_OFFLOAD),
        (LARGE, 32, Plan.MODEL_OFFLOAD),
        (LARGE, 24, Plan.GROUP_OFFLOAD),
        (LARGE, 0, Plan.GROUP_OFFLOAD),
        (SMALL, 26, Plan.RESIDENT),
        (SMALL, 24, Plan.MODEL_OFFLOAD),
        (SMALL, 18, Plan.MODEL_OFFLOAD),
        (SMALL, 11, Plan.GROUP_OFFLOAD),
        (SMALL, None, Plan.MODEL_OFFLOAD),
    ],
)
def test_the_fastest_plan_that_fits(demand: Demand, free_gib: float | None, expected: Plan) -> None:
    """All weights on the device if there is room, else one component, else a few layers."""
    assert choose(demand, device="cuda", free_gib=free_gib).plan is expected


def test_a_larger_video_needs_more() -> None:
    """The size and the length of the video count, and not only the weights."""
    huge = Demand(weights_gib=15.7, largest_gib=12.5, pixels=1280 * 720, frames=161)
    assert choose(huge, device="cuda:1", free_gib=24).plan is Plan.GROUP_OFFLOAD
    assert huge.peak_gib > SMALL.peak_gib


def test_the_peak_is_the_one_that_was_measured() -> None:
    """On the card of the benchmark, to a tenth; with the reserve enough for all but the cache."""
    names = ("gpu_pipelines.json", "gpu_pipelines_more.json")
    results = [json.loads((RESULTS / name).read_text(encoding="utf-8")) for name in names]
    rows = [row for result in results for row in result["rows"] if "settings" in row]
    assert len(rows) == 5
    for row in rows:
        size = row["settings"]
        for mode, found in row["modes"].items():
            if "failed" in found:
                continue
            demand = Demand(
                weights_gib=found["weights_gib"],
                largest_gib=0.0,
                pixels=size["width"] * size["height"],
                frames=size["num_frames"],
                family=models()[row["model"]].family,
            )
            peak = max(found["peak_denoising_gib"], found["peak_decoding_gib"])
            expected = demand.peak_gib - RESERVE_GIB
            assert expected == pytest.approx(peak, rel=0.1), (row["model"], mode)
            # A cache keeps up to 1.9 GiB; where they are missing, the next plan is tried.
            assert demand.peak_gib > peak or mode == "fast", (row["model"], mode)


@pytest.mark.parametrize("plan", list(Plan))
def test_the_user_has_the_last_word(plan: Plan) -> None:
    """A plan that is asked for is taken on a GPU, whatever the numbers say."""
    asked = choose(LARGE, device="cuda", free_gib=79, wanted=plan.value)
    assert asked == Choice(plan=plan, reason="asked for")
    assert choose(LARGE, device="mps", free_gib=None, wanted=plan.value).plan is plan


@pytest.mark.parametrize("wanted", ["auto", *Plan])
def test_a_cpu_keeps_everything(wanted: str) -> None:
    """There is nowhere to move weights to; the record says so when something else was asked for."""
    choice = choose(LARGE, device="cpu", free_gib=None, wanted=wanted)
    assert choice.plan is Plan.RESIDENT
    assert ("no meaning" in choice.reason) == (wanted in {"model_offload", "group_offload"})


def test_shared_memory_is_no_place_to_offload_to() -> None:
    """On MPS the weights lie in the same memory wherever they are."""
    assert choose(LARGE, device="mps", free_gib=None).plan is Plan.RESIDENT


def test_the_choice_tells_its_numbers() -> None:
    """The job's record has the plan and what it was weighed by."""
    told = choose(LARGE, device="cuda", free_gib=32).to_dict()
    assert told["plan"] == "model_offload"
    assert "32.0 GiB are free" in told["reason"]
    assert "49.4 GiB" in told["reason"]
    assert told["estimated_gib"] == pytest.approx(LARGE.peak_of_parts_gib, abs=0.05)
    assert "estimated_gib" not in choose(LARGE, device="cuda", free_gib=0).to_dict()


def test_an_estimate_leaves_something_to_try() -> None:
    """After a plan that was too large comes the next smaller one; what was asked for stays."""
    assert choose(LARGE, device="cuda", free_gib=79).smaller is Plan.MODEL_OFFLOAD
    assert choose(LARGE, device="cuda", free_gib=None).smaller is Plan.GROUP_OFFLOAD
    assert choose(LARGE, device="cuda", free_gib=0).smaller is None
    assert choose(LARGE, device="cuda", free_gib=79, wanted="resident").smaller is None
    assert choose(LARGE, device="cpu", free_gib=None).smaller is None
