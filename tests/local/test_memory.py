"""The memory plan: the fastest that fits, by numbers alone."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

import pytest

from tiomagic_domain.catalogue import find_model
from tiomagic_local.footprint.estimates import MemoryEstimate
from tiomagic_local.memory.choosing import MemoryChoice, choose_memory_plan
from tiomagic_local.memory.demand import RESERVE_GIB, Demand, demand_of
from tiomagic_local.memory.plans import MemoryPlan

MODEL = MemoryEstimate(
    weights={"transformer": 27.0, "text_encoder": 10.5, "vae": 0.5},
    leaves={"transformer": 0.2, "text_encoder": 2.0, "vae": 0.1},
    text=0.2,
    phases={
        "denoise": (0, 0, 0, 0.1, 0),
        "decode": (0, 20.0, 0, 0, 0),
        "decode_tiles": (2.0, 0, 0, 0, 0),
    },
)
"""Round numbers: a step takes 3.2 GiB at 32 frames of a million pixels, decoding 20."""
LARGE = Demand(model=MODEL, pixels=10**6, frames=32)
"""All takes 38 + 20 + 1 GiB; one part 27 + 3.2 + 1; decoding alone 0.5 + 20 + 1; layers in tiles
0.5 + 2 * 0.2 + 3.2 + 1, or 0.5 + 2 * 2 + 0.2 + 1 with the text encoder's."""


@pytest.mark.parametrize(
    ("free_gib", "plan", "tiles"),
    [
        (79, MemoryPlan.RESIDENT, False),
        (59.1, MemoryPlan.RESIDENT, False),
        (58.9, MemoryPlan.MODEL_OFFLOAD, False),
        (31.3, MemoryPlan.MODEL_OFFLOAD, False),
        (31.1, MemoryPlan.GROUP_OFFLOAD, False),
        (21.6, MemoryPlan.GROUP_OFFLOAD, False),
        # Whole frames do not fit in any plan.
        (21.4, MemoryPlan.GROUP_OFFLOAD, True),
        (5.8, MemoryPlan.GROUP_OFFLOAD, True),
        (0, MemoryPlan.GROUP_OFFLOAD, True),
        (None, MemoryPlan.MODEL_OFFLOAD, False),
    ],
)
def test_the_fastest_plan_that_fits(free_gib: float | None, plan: MemoryPlan, tiles: bool) -> None:
    """All weights on the device if there is room, else one component, else a few layers."""
    choice = choose_memory_plan(LARGE, device="cuda", free_gib=free_gib)
    assert (choice.plan, choice.tiles) == (plan, tiles)


def test_tiles_come_before_giving_up_and_after_slower_plans() -> None:
    """They change pixels: a plan that is slower and exact is better, one that fails is not."""
    decoder = MemoryEstimate(
        weights={"transformer": 4.0, "text_encoder": 1.0, "vae": 1.0},
        leaves={"transformer": 0.1, "text_encoder": 0.1, "vae": 0.1},
        text=0.1,
        phases={"denoise": (1.0, 0, 0, 0, 0), "decode": (9.0, 0, 0, 0, 0)}
        | {"decode_tiles": (1.5, 0, 0, 0, 0)},
    )
    demand = Demand(model=decoder, pixels=10**6, frames=9)
    exact = choose_memory_plan(demand, device="cuda", free_gib=11.5)
    assert (exact.plan, exact.tiles, exact.estimated_gib) == (MemoryPlan.MODEL_OFFLOAD, False, 11.0)
    tiled = choose_memory_plan(demand, device="cuda", free_gib=10.5)
    assert (tiled.plan, tiled.tiles, tiled.estimated_gib) == (MemoryPlan.RESIDENT, True, 8.5)
    assert tiled.to_dict()["decoding"] == "tiles"
    assert "decoding" not in exact.to_dict()
    # What is asked for is taken, in tiles where it fits in no other way.
    for plan, free, tiles in (
        (MemoryPlan.RESIDENT, 15.5, True),
        (MemoryPlan.RESIDENT, 16.5, False),
    ):
        asked = choose_memory_plan(demand, device="cuda", free_gib=free, wanted=plan.value)
        assert (asked.plan, asked.tiles) == (plan, tiles)


def test_a_larger_video_needs_more() -> None:
    """The size and the length of the video count, and not only the weights."""
    card = find_model("wan2.1-t2v-14b")
    usual, long, large = (
        demand_of(card, {"width": width, "height": height, "num_frames": frames})
        for width, height, frames in ((832, 480, 81), (832, 480, 161), (1280, 720, 81))
    )
    for plan in MemoryPlan:
        assert usual.gib(plan) < long.gib(plan) or plan is not MemoryPlan.RESIDENT
        assert usual.gib(plan) < large.gib(plan)
        assert usual.gib(plan, tiles=True) <= usual.gib(plan)


def test_a_model_of_others_is_weighed_by_its_card() -> None:
    """Where no shapes are known, the weights on the card count, and activations like Wan's."""
    card = replace(find_model("wan2.1-t2v-14b"), name="somebodys", weights_gib=12, largest_gib=8)
    demand = demand_of(card, {"width": 832, "height": 480, "num_frames": 81})
    assert demand.model.weights_gib == pytest.approx(12)
    assert 12 + 7 + RESERVE_GIB < demand.gib(MemoryPlan.RESIDENT) < 12 + 9 + RESERVE_GIB


def test_the_answer_is_there_at_once() -> None:
    """Numbers are read and nothing is built: no torch comes in."""
    code = (
        "import sys\n"
        "from tiomagic_domain.catalogue import models\n"
        "from tiomagic_local.memory.choosing import choose_memory_plan\n"
        "from tiomagic_local.memory.demand import demand_of\n"
        "for card in models().values():\n"
        "    choose_memory_plan(demand_of(card, {}), device='cuda', free_gib=24)\n"
        "assert not {'torch', 'diffusers', 'numpy'} & set(sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("plan", list(MemoryPlan))
def test_the_user_has_the_last_word(plan: MemoryPlan) -> None:
    """A plan that is asked for is taken on a GPU, whatever the numbers say."""
    asked = choose_memory_plan(LARGE, device="cuda", free_gib=79, wanted=plan.value)
    assert asked == MemoryChoice(plan=plan, reason="asked for")
    assert choose_memory_plan(LARGE, device="mps", free_gib=None, wanted=plan.value).plan is plan


@pytest.mark.parametrize("wanted", ["auto", *MemoryPlan])
def test_a_cpu_keeps_everything(wanted: str) -> None:
    """There is nowhere to move weights to; the record says so when something else was asked for."""
    choice = choose_memory_plan(LARGE, device="cpu", free_gib=None, wanted=wanted)
    assert choice.plan is MemoryPlan.RESIDENT
    assert ("no meaning" in choice.reason) == (wanted not in {"auto", "resident"})


def test_shared_memory_is_no_place_to_offload_to() -> None:
    """On MPS the weights lie in the same memory wherever they are."""
    assert choose_memory_plan(LARGE, device="mps", free_gib=None).plan is MemoryPlan.RESIDENT


def test_the_choice_tells_its_numbers() -> None:
    """The job's record has the plan and what it was weighed by."""
    told = choose_memory_plan(LARGE, device="cuda", free_gib=32).to_dict()
    assert told["plan"] == "model_offload"
    assert "32.0 GiB are free" in told["reason"]
    assert "59.0 GiB" in told["reason"]
    assert told["estimated_gib"] == pytest.approx(27 + 3.2 + RESERVE_GIB, abs=0.05)
    assert "estimated_gib" not in choose_memory_plan(LARGE, device="cuda", free_gib=0).to_dict()


def test_an_estimate_leaves_something_to_try() -> None:
    """After a plan that was too large comes the next smaller one; what was asked for stays."""
    assert (
        choose_memory_plan(LARGE, device="cuda", free_gib=79).fallback_plan
        is MemoryPlan.MODEL_OFFLOAD
    )
    assert (
        choose_memory_plan(LARGE, device="cuda", free_gib=None).fallback_plan
        is MemoryPlan.GROUP_OFFLOAD
    )
    # The same plan once more, in tiles.
    assert (
        choose_memory_plan(LARGE, device="cuda", free_gib=25).fallback_plan
        is MemoryPlan.GROUP_OFFLOAD
    )
    assert choose_memory_plan(LARGE, device="cuda", free_gib=0).fallback_plan is None
    assert (
        choose_memory_plan(LARGE, device="cuda", free_gib=79, wanted="resident").fallback_plan
        is None
    )
    assert choose_memory_plan(LARGE, device="cpu", free_gib=None).fallback_plan is None


@pytest.mark.parametrize(
    ("free_gib", "main_gib", "plan", "tiles"),
    [
        # Weights take 38 GiB, and the process 3.
        (32, 41.1, MemoryPlan.MODEL_OFFLOAD, False),
        (32, 40.9, MemoryPlan.DISK_OFFLOAD, False),
        (25, 41.1, MemoryPlan.GROUP_OFFLOAD, False),
        (25, 16.0, MemoryPlan.DISK_OFFLOAD, False),
        (6, 16.0, MemoryPlan.DISK_OFFLOAD, True),
        # Nothing waits when all is on the device, which is loaded piece by piece.
        (79, 16.0, MemoryPlan.RESIDENT, False),
        (79, 3.9, MemoryPlan.DISK_OFFLOAD, False),
        (0, 2.0, MemoryPlan.DISK_OFFLOAD, True),
        (None, 16.0, MemoryPlan.DISK_OFFLOAD, False),
        (None, 64.0, MemoryPlan.MODEL_OFFLOAD, False),
    ],
)
def test_weights_stay_on_the_disk_where_main_memory_is_short(
    free_gib: float | None, main_gib: float, plan: MemoryPlan, tiles: bool
) -> None:
    """Only there: what waits in main memory is faster, and swap would be slower."""
    choice = choose_memory_plan(LARGE, device="cuda", free_gib=free_gib, main_gib=main_gib)
    assert (choice.plan, choice.tiles) == (plan, tiles)
    short = "weights take 38.0 GiB of main memory" in choice.reason
    assert short == (main_gib < 41)


def test_a_second_gpu_is_filled_through_main_memory() -> None:
    """The library loads straight to the first one only."""
    plans = [
        choose_memory_plan(LARGE, device=device, free_gib=79, main_gib=16).plan
        for device in ("cuda", "cuda:0", "cuda:1")
    ]
    assert plans == [MemoryPlan.RESIDENT, MemoryPlan.RESIDENT, MemoryPlan.DISK_OFFLOAD]


def test_a_retry_does_not_fill_main_memory() -> None:
    """After all weights on the device come those on the disk, if they cannot wait elsewhere."""
    choice = choose_memory_plan(LARGE, device="cuda", free_gib=79, main_gib=16)
    assert choice.fallback_plan is MemoryPlan.DISK_OFFLOAD
    last = choose_memory_plan(LARGE, device="cuda", free_gib=25, main_gib=16)
    assert last.fallback_plan is MemoryPlan.DISK_OFFLOAD


KEEPS = Demand(model=MODEL, pixels=10**6, frames=32, cache_gib=30.0)
"""The same model with a KV cache of 30 GiB."""


@pytest.mark.parametrize(
    ("free_gib", "asked", "plan", "cache"),
    [
        (90, "auto", MemoryPlan.RESIDENT, "gpu"),
        (62, "auto", MemoryPlan.MODEL_OFFLOAD, "gpu"),
        # All weights with the cache elsewhere, then the largest part, then a few layers.
        (60, "auto", MemoryPlan.RESIDENT, "ram"),
        (40, "auto", MemoryPlan.MODEL_OFFLOAD, "ram"),
        (25, "auto", MemoryPlan.GROUP_OFFLOAD, "ram"),
        (60, "gpu", MemoryPlan.GROUP_OFFLOAD, "gpu"),
        (90, "ram", MemoryPlan.RESIDENT, "ram"),
        (None, "auto", MemoryPlan.MODEL_OFFLOAD, "ram"),
    ],
)
def test_a_kv_cache_waits_where_there_is_room(
    free_gib: float | None, asked: str, plan: MemoryPlan, cache: str
) -> None:
    """On the device if a plan that moves whole parts has room for it, else in main memory."""
    choice = choose_memory_plan(KEEPS, device="cuda", free_gib=free_gib, cache=asked)
    assert (choice.plan, choice.cache) == (plan, cache)
    assert choice.to_dict()["kv_cache"] == cache


def test_a_kv_cache_has_a_place_in_the_plan_that_is_asked_for() -> None:
    """And none where there is none, or where all memory is one."""
    wanted = {"device": "cuda", "wanted": "model_offload"}
    assert choose_memory_plan(KEEPS, free_gib=70, **wanted).cache == "gpu"
    assert choose_memory_plan(KEEPS, free_gib=50, **wanted).cache == "ram"
    assert choose_memory_plan(LARGE, free_gib=50, **wanted).cache is None
    assert choose_memory_plan(KEEPS, device="cpu", free_gib=None).cache is None


def test_a_kv_cache_takes_main_memory_too() -> None:
    """It stays on the device where main memory has no room for it."""
    wide = choose_memory_plan(KEEPS, device="cuda", free_gib=60, main_gib=80)
    assert (wide.plan, wide.cache) == (MemoryPlan.RESIDENT, "ram")
    short = choose_memory_plan(KEEPS, device="cuda", free_gib=60, main_gib=16)
    assert (short.plan, short.cache) == (MemoryPlan.DISK_OFFLOAD, "gpu")


def test_eight_bits_are_counted() -> None:
    """The cache of Wan-Animate-2 at 640x800: 40 layers, two of 42,000 tokens of 5120 numbers."""
    card, size = find_model("wan2.2-animate-2-14b"), {"width": 640, "height": 800}
    whole, half = (
        demand_of(card, {**size, "num_frames": frames, "kv_cache": kind}).cache_gib
        for frames, kind in ((81, "auto"), (161, "int8"))
    )
    assert whole == pytest.approx(2 * 40 * 42_000 * 5120 * 2 / 2**30, rel=1e-3)
    # A longer video is made in segments of as many frames.
    assert half == pytest.approx(whole * (1 + 4 / 128) / 2, rel=0.02)
