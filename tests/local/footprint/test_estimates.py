"""The planner's formulas: what the tool counts, for every card, and a GPU that is large enough."""

from __future__ import annotations

import pytest
from tests.every import for_each

from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.catalogue.kv_cache import find_cache_gib
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.parameter import Parameter
from tiomagic_local.footprint import architectures
from tiomagic_local.footprint.estimates import find_estimate
from tiomagic_local.footprint.phases import (
    Modules,
    Size,
    decode_bytes,
    denoise_bytes,
    encode_bytes,
)
from tiomagic_local.memory.choosing import choose_memory_plan
from tiomagic_local.memory.demand import demand_of
from tiomagic_local.memory.plans import MemoryPlan

GIB = 2**30
USABLE = 0.93
"""Part of the advertised memory that a process gets of a GPU: 22.3 GiB of 24, 14.9 of 16."""

LARGE = [card for card in models().values() if card.gpu_memory_gib]


def defaults(card: ModelCard) -> dict[str, object]:
    """Return the largest of a card's own defaults."""
    found: dict[str, object] = {}
    for schema in card.features.values():
        for parameter in schema.parameters:
            if parameter.default is not UNSET and parameter.name in {"width", "height"}:
                found[parameter.name] = parameter.default
            if parameter.name == "num_frames":
                found["num_frames"] = max(_frames(parameter), found.get("num_frames", 0))
    return found


def _frames(parameter: Parameter) -> int:
    value = parameter.default
    assert isinstance(value, int)
    return value


def test_every_model_has_its_shapes() -> None:
    """A card without would be planned like another model."""
    assert {card.name for card in LARGE} == set(architectures.list_architectures())
    assert all(find_estimate(card.name) is not None for card in LARGE)


@for_each(LARGE)
def test_a_cards_defaults_run_on_the_gpu_that_it_names(card: ModelCard) -> None:
    """By the planner's own word, which leaves a reserve."""
    demand = demand_of(card, defaults(card))
    free = USABLE * card.gpu_memory_gib
    choice = choose_memory_plan(demand, device="cuda", free_gib=free)
    assert choice.estimated_gib is not None, choice.reason
    assert choice.estimated_gib <= free


@for_each(LARGE)
def test_a_card_says_what_its_weights_take(card: ModelCard) -> None:
    """As counted from the shapes, to 2 %; of the largest component to 4 %."""
    known = find_estimate(card.name)
    assert known is not None
    assert card.weights_gib == pytest.approx(known.weights_gib, rel=0.02)
    assert card.largest_gib == pytest.approx(known.largest_gib, rel=0.04)
    for pixels in (card.pixels, card.pixels // 2):
        cache = find_cache_gib(card, {"width": pixels, "height": 1})
        assert cache == pytest.approx(known.cache_gib(pixels, 81), rel=0.02)


def test_an_embedding_that_two_names_share_counts_once() -> None:
    """UMT5-XXL by hand, from google/umt5-xxl's config.json: 5.7 billion weights, in bf16."""
    words, wide, inner, layers, heads, buckets = 256384, 4096, 10240, 24, 64, 32
    layer = 4 * wide * wide + 3 * wide * inner + 2 * wide + heads * buckets
    by_hand = 2 * (words * wide + layers * layer + wide) / GIB
    assert by_hand == pytest.approx(10.58, abs=0.01)
    for name in ("wan2.1-t2v-1.3b", "wan2.2-ti2v-5b", "skyreels-v2-df-1.3b-540p"):
        known = find_estimate(name)
        assert known is not None
        assert known.weights["text_encoder"] == pytest.approx(by_hand, abs=0.01)
        assert models()[name].largest_gib == pytest.approx(by_hand, abs=0.05)


def test_a_model_in_fp16_has_a_part_of_its_text_encoder_in_fp32() -> None:
    """The library keeps T5's last layer of each block so: 24 of 10240 by 4096, two bytes more."""
    half, whole = find_estimate("cogvideox-5b"), find_estimate("cogvideox-2b")
    assert half is not None
    assert whole is not None
    more = whole.weights["text_encoder"] - half.weights["text_encoder"]
    assert more == pytest.approx(24 * 10240 * 4096 * 2 / GIB, abs=0.01)


CELLS = [
    ("wan2.1-t2v-1.3b", Size(width=640, height=352, frames=49)),
    ("wan2.2-ti2v-5b", Size(width=704, height=448, frames=49)),
    ("ltx-video", Size(width=704, height=512, frames=161)),
    ("hunyuanvideo-1.5", Size(width=640, height=384, frames=61)),
    ("kandinsky5-lite", Size(width=768, height=512, frames=121)),
]


@pytest.mark.parametrize(("model", "size"), CELLS, ids=str)
def test_the_formulas_say_what_the_tool_counts(model: str, size: Size) -> None:
    """At sizes that they were not made from, to a tenth."""
    modules, known, card = Modules(model), find_estimate(model), models()[model]
    assert known is not None
    counted = {
        "denoise": denoise_bytes(modules, size, words=card.prompt_tokens, guided=True),
        "encode": encode_bytes(modules, size),
        "decode": decode_bytes(modules, size),
    }
    pixels = size.width * size.height
    for phase, count in counted.items():
        factors = known.phases.get(phase, ())
        pairs = zip(factors, _features(pixels, size.frames), strict=bool(factors))
        said = sum(factor * value for factor, value in pairs)
        assert said == pytest.approx(count / GIB, rel=0.1, abs=0.1), phase


def _features(pixels: int, frames: int) -> tuple[float, ...]:
    clip = pixels * frames / 1e6
    return 1.0, pixels / 1e6, frames, clip, clip**2


@pytest.mark.parametrize(
    ("model", "pixels", "frames", "gib"),
    [
        ("wan2.2-ti2v-5b", 1280 * 704, 121, 5.81),
        ("wan2.1-vace-14b", 832 * 480, 81, 2.51),
        ("kandinsky5-lite", 768 * 512, 121, 7.86),
        ("cogvideox-5b", 720 * 480, 49, 3.86),
    ],
)
def test_large_videos_in_tiles(model: str, pixels: int, frames: int, gib: float) -> None:
    """What the tool counted once, which takes it minutes; to a fifth, and hardly too little."""
    known = find_estimate(model)
    assert known is not None
    assert known.phase("decode", pixels, frames, tiles=True) == pytest.approx(gib, rel=0.2)
    assert known.phase("decode", pixels, frames, tiles=True) > 0.9 * gib


def test_a_moment_for_each_token_is_counted() -> None:
    """Pusa is Wan's model for words with a modulation for each token: six more vectors in fp32."""
    pusa, plain = find_estimate("pusa-v1"), find_estimate("wan2.1-14b-t2v-fusionx")
    assert pusa is not None
    assert plain is not None
    size = 832 * 480, 81
    tokens, width = 21 * 30 * 52, 5120
    six = 6 * tokens * width * 4 / GIB
    more = pusa.phase("denoise", *size) - plain.phase("denoise", *size)
    # They are made from one another, and changed to fp32 and back.
    assert six < more < 8 * six


def test_group_offload_is_the_smallest_plan() -> None:
    """For each model at its own size."""
    for card in LARGE:
        demand = demand_of(card, defaults(card))
        sizes = [demand.gib(plan, tiles=True) for plan in (*MemoryPlan,)]
        assert sizes == sorted(sizes, reverse=True), card.name
