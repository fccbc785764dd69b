"""What quality allows: which weights and which plan a card gets, and that the bytes are counted."""

from __future__ import annotations

from functools import partial
from typing import Any

import pytest
import torch
from typer.testing import CliRunner

from tiomagic import TioMagic
from tiomagic.cli.main import app
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.weights.formats import GROUPS, SHARES
from tiomagic_local.footprint.architectures import build_network, find_architecture, weights
from tiomagic_local.footprint.estimates import LARGEST_MATRIX_GIB
from tiomagic_local.memory.choosing import MemoryChoice, choose_memory_plan
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.memory.quality import (
    choose_weights_and_plan,
    demand_in,
    list_allowed,
    share_of,
)
from tiomagic_local.quantized.selection import choose_weights
from tiomagic_local.rehearsal.memory_checks import MemoryChecks

T2V = find_model("wan2.1-t2v-14b")
SIZE = {"width": 832, "height": 480, "num_frames": 81}
FIXED = 0.93
"""The part of a card's memory that a process can use."""


def choose(
    free_gib: float, *, files: dict[str, float] | None = None, **settings: Any
) -> MemoryChoice:
    """Return what a run of Wan 2.1 14B at its own size takes."""
    wanted = settings.get("memory", "auto")
    plan = partial(choose_memory_plan, device="cuda", free_gib=free_gib, wanted=wanted)
    return choose_weights_and_plan(
        T2V,
        {**SIZE, **settings},
        plan,
        files=files or {},
        allowed=list_allowed(settings, "cuda:0", free_gib),
    )


@pytest.mark.parametrize(
    ("card_gib", "quality", "plan", "formats"),
    [
        (24, "exact", MemoryPlan.GROUP_OFFLOAD, set()),
        (24, "high", MemoryPlan.MODEL_OFFLOAD, {"int8"}),
        (24, "small", MemoryPlan.MODEL_OFFLOAD, {"int8"}),
        (16, "high", MemoryPlan.GROUP_OFFLOAD, set()),
        (16, "small", MemoryPlan.MODEL_OFFLOAD, {"q4_1"}),
        (12, "small", MemoryPlan.GROUP_OFFLOAD, set()),
        (48, "small", MemoryPlan.MODEL_OFFLOAD, set()),
        (80, "small", MemoryPlan.RESIDENT, set()),
    ],
)
def test_quality_takes_the_most_exact_weights_that_fit_whole(
    card_gib: int, quality: str, plan: MemoryPlan, formats: set[str]
) -> None:
    """Full weights wherever they fit whole; a few layers at a time only if nothing else fits."""
    found = choose(FIXED * card_gib, quality=quality)
    assert (found.plan, set(found.quantization.values())) == (plan, formats)
    if formats:
        assert found.reason.startswith(f"in {next(iter(formats))} ")
        assert "in full" in found.reason


def test_what_is_asked_for_is_taken() -> None:
    """A format of the call, whatever fits; a plan of the call leaves the weights full."""
    asked = choose(80, quality="small", quantization="fp8")
    assert asked.quantization == {"transformer": "fp8", "text_encoder": "fp8"}
    assert choose(20, quality="high", memory="group_offload").quantization == {}


def test_a_component_from_a_file_keeps_its_format() -> None:
    """Only the others are made smaller."""
    found = choose(FIXED * 16, quality="high", files={"transformer": 9.0})
    assert found.quantization == {}
    small = choose(11.0, quality="high", files={"transformer": 2.0})
    assert small.quantization == {"text_encoder": "int8"}


@pytest.mark.parametrize(
    "model", ["wan2.1-t2v-14b", "ltx-2", "hunyuanvideo-1.5", "kandinsky5-lite", "cogvideox-5b"]
)
@pytest.mark.parametrize("format_", ["int8", "q4_1"])
def test_the_bytes_are_those_of_the_true_shapes(model: str, format_: str) -> None:
    """The planner's share of a component is within a tenth of what its networks take."""
    for name, component in find_architecture(model).parts.items():
        if not name.startswith(GROUPS) or name == "text_encoder_2":
            continue
        net = build_network(component, device=torch.device("meta"), dtype=torch.bfloat16)
        named, full = dict(net.named_parameters()), weights(net)
        saved = sum(
            named[one].nbytes - named[one].numel() * 2 * SHARES[format_]
            for one in choose_weights(net, format_)
            if one in named
        )
        assert share_of(model, name, format_) == pytest.approx(1 - saved / full, rel=0.1), name


def test_a_weight_is_counted_in_full_while_it_is_read() -> None:
    """The peak has the largest weight of the transformer in fp32 and in 16 bits."""
    full = demand_in(T2V, SIZE, {}, {})
    small = demand_in(T2V, SIZE, {"transformer": "int8"}, {})
    more = small.activations()["denoise"] - full.activations()["denoise"]
    assert more == pytest.approx(3 * LARGEST_MATRIX_GIB)
    assert small.activations()["text"] == full.activations()["text"]


def test_a_rehearsal_counts_the_settings_that_are_meant() -> None:
    """Half the weights need half the memory; what is no setting of the model is refused."""
    device = torch.device("cpu")
    full, small = (
        MemoryChecks(T2V, Feature.TEXT_TO_VIDEO, device, halves=True, settings=settings)
        for settings in ({}, {"quantization": "int8"})
    )
    assert full.weights_gib == pytest.approx(37.7, rel=0.02)
    assert small.weights_gib == pytest.approx(full.weights_gib * 0.53, rel=0.05)
    tm = TioMagic(provider="local", device="cpu")
    try:
        found = tm.rehearse("doodle", settings={"quantization": "int8"})
        assert found["ok"]
        with pytest.raises(ValidationError, match="quantisation: is no setting of doodle"):
            tm.rehearse("doodle", settings={"quantisation": "int8"})
        with pytest.raises(ValidationError, match="must be one of 'none', 'int8'"):
            tm.rehearse("doodle", settings={"quantization": "int9"})
    finally:
        tm.close()
    done = CliRunner().invoke(app, ["rehearse", "doodle", "--set", "quantization=nf4"])
    assert done.exit_code == 0, done.output
