"""Speed options on a modular pipeline: they work, change what they say, and leave nothing."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from tests.local.speed.desk import CallCounter
from torch._dynamo.testing import CompileCounter

from tiomagic_domain.features import Feature
from tiomagic_local.acceleration.compilation import compile_blocks
from tiomagic_local.acceleration.fp8 import Fp8Linear, enable_fp8
from tiomagic_local.modular.placement import offload_blocks

MODEL, FEATURE = "wan2.2-animate-2-14b", Feature.POSE_GUIDANCE
PLAIN = {"remember_prompts": False}


@pytest.fixture
def make(desk):
    """Makes clips with the tiny model."""
    desk.media = {MODEL: ("image", "guiding_video")}

    def call(**changes):
        return desk.make(MODEL, FEATURE, **changes)

    return call


def test_a_prompt_is_encoded_once(desk, make):
    """Another seed needs no encoder; other words and other guidance do, bit for bit alike."""
    words = "a lynx that no other test has seen"
    exact = make(prompt=words, acceleration=PLAIN)
    assert "prompts_remembered" not in desk.facts
    block = desk.pipeline._blocks.sub_blocks["text_encoder"]
    assert np.array_equal(make(prompt=words), exact)
    assert desk.facts["prompts_remembered"] == 0
    with CallCounter(desk.pipeline.text_encoder) as encoded:
        assert np.array_equal(make(prompt=words), exact)
        assert desk.facts["prompts_remembered"] == 1
        other = make(prompt=words, seed=7)
        assert encoded.count == 0
        unguided = make(prompt=words, guidance_scale=1.0)
        assert encoded.count == 3  # the two prompts, and what is said of the video
        make(prompt="a bear")
        assert encoded.count == 6
    assert np.array_equal(other, make(prompt=words, seed=7, acceleration=PLAIN))
    assert np.array_equal(unguided, make(prompt=words, guidance_scale=1.0, acceleration=PLAIN))
    assert desk.pipeline._blocks.sub_blocks["text_encoder"] is block


def test_compiled_blocks_run_and_are_gone_afterwards(desk, make):
    """Traced by the compiler's front half; a run that did not ask is not compiled."""
    torch._dynamo.reset()
    exact = make()
    assert desk.facts["compiled"] == []
    counter = CompileCounter()
    with compile_blocks(desk.pipeline, backend=counter) as names:
        assert names == ["transformer"]
        frames = make()
    assert counter.frame_count > 0
    assert np.array_equal(exact, frames)
    before = counter.frame_count
    torch._dynamo.reset()
    assert np.array_equal(exact, make())
    assert counter.frame_count == before


def test_products_in_eight_bits_are_close_and_leave_nothing(desk, make):
    """The layers of the words stay exact."""
    exact = make()
    few = make(acceleration={"fp8": True})
    assert desk.facts["fp8_layers"] > 0
    assert not np.array_equal(few, exact)
    assert np.abs(few.astype(int) - exact).mean() < 8
    assert np.array_equal(make(acceleration={"fp8": True}), few)
    assert np.array_equal(make(), exact)
    assert not any(isinstance(part, Fp8Linear) for part in desk.pipeline.transformer.modules())


def test_the_layers_of_the_words_stay_exact(desk, make):
    """Attention to the text and to the picture's features; all others are in eight bits."""
    make()
    with enable_fp8(desk.pipeline, torch.device("cpu")):
        names = {
            name
            for name, part in desk.pipeline.transformer.named_modules()
            if isinstance(part, Fp8Linear)
        }
    assert {"blocks.0.self_attn.to_k", "blocks.0.cross_attn.to_q", "blocks.1.ffn.2"} <= names
    assert not [n for n in names if "cross_attn.to_k" in n or "cross_attn.to_v" in n]
    assert not [n for n in names if "add_k_proj" in n or "add_v_proj" in n]
    assert all(name.startswith("blocks.") for name in names)


def test_eight_bits_with_blocks_that_wait_in_main_memory(desk, make):
    """Layers come with their block, so they multiply alike; nothing is compiled then."""
    few = make(acceleration={"fp8": True})
    offload_blocks(desk.pipeline, torch.device("cpu"))
    try:
        assert np.array_equal(make(acceleration={"fp8": True}), few)
        with compile_blocks(desk.pipeline, backend=CompileCounter()) as names:
            assert names == []
    finally:
        desk.runtime.unload()
