"""The computed slowdown of a step: what it counts, and when."""

import pytest
from docs.slowdown import EXAMPLES, READING, compute_slowdown

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.weights.formats import FORMATS
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.plans import MemoryPlan

T2V = find_model("wan2.1-t2v-14b")
LARGE = {"width": 832, "height": 480, "num_frames": 81}
SMALL = {"width": 64, "height": 64, "num_frames": 5}


def factor(settings: dict[str, int], plan: MemoryPlan, format_: str | None = None) -> float:
    """Return the factor on a card of 24 GB."""
    formats = {} if format_ is None else {"transformer": format_}
    choice = MemoryChoice(plan=plan, reason="", quantization=formats)
    found = compute_slowdown(T2V, settings, choice, EXAMPLES[24])
    assert found is not None
    return found


def test_a_long_pass_hides_the_transfer_and_a_short_one_waits_for_it() -> None:
    """26.7 GiB at 25 GB a second are 1.15 s, for which a small video has no work."""
    assert factor(LARGE, MemoryPlan.RESIDENT) == 1.0
    assert factor(LARGE, MemoryPlan.GROUP_OFFLOAD) == 1.0
    # 32 tokens through 14.3 billion numbers: 0.9e12 operations at 66e12 a second.
    assert factor(SMALL, MemoryPlan.GROUP_OFFLOAD) == pytest.approx(1.145 / 0.0139, rel=0.05)
    half = factor(SMALL, MemoryPlan.GROUP_OFFLOAD, "int8")
    assert half < factor(SMALL, MemoryPlan.GROUP_OFFLOAD)


def test_reading_fewer_bits_takes_a_little() -> None:
    """Every format costs something, and none as much as a tenth at the model's own size."""
    for format_ in FORMATS:
        assert 1.0 < factor(LARGE, MemoryPlan.MODEL_OFFLOAD, format_) < 1.1, format_
    assert READING.keys() == set(FORMATS)
