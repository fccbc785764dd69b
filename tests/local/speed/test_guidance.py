"""The two passes of a guided step as one batch: really one, close, repeatable, and gone after."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import pytest
import torch
from diffusers import WanTransformer3DModel
from tests.local.speed.desk import CallCounter, SpeedRunner, StopsAt

from tiomagic_domain.errors import GenerationCanceledError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_local.acceleration.cfg_batching import (
    MAX_TOKENS,
    batch_guidance_passes,
    is_batching_worthwhile,
)
from tiomagic_local.acceleration.step_caches.activate import MIN_STEPS

APART = {"batch_guidance": "off"}
STEPS = 4
WAN = [
    ("wan2.1-t2v-1.3b", Feature.TEXT_TO_VIDEO),
    ("wan2.1-i2v-14b-480p", Feature.IMAGE_TO_VIDEO),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE),
    ("wan2.2-t2v-a14b", Feature.TEXT_TO_VIDEO),
    ("wan2.2-ti2v-5b", Feature.IMAGE_TO_VIDEO),
]
SIZES = {"wan2.2-ti2v-5b": {"width": 32, "height": 32}}


@pytest.mark.parametrize(("model", "feature"), WAN)
def test_both_passes_are_one(desk, model, feature):
    """Half of the calls, the same frames up to rounding, the same ones again."""
    settings = {"num_inference_steps": STEPS, **SIZES.get(model, {})}
    apart = desk.make(model, feature, **settings, acceleration=APART)
    assert "guidance_batched" not in desk.facts
    with Passes(desk) as plain:
        desk.make(model, feature, **settings, acceleration=APART)
    with Passes(desk) as passes:
        frames = desk.make(model, feature, **settings)
    assert plain.rows == [1] * (2 * STEPS)
    # The first step of each transformer shows which prompts belong together.
    experts = len(passes.of)
    assert sorted(passes.rows) == [1] * 2 * experts + [2] * (STEPS - experts)
    assert desk.facts["guidance_batched"] == STEPS - experts
    assert np.abs(frames.astype(int) - apart).max() <= 1
    assert np.array_equal(desk.make(model, feature, **settings), frames)
    assert np.array_equal(desk.make(model, feature, **settings, acceleration=APART), apart)


def test_another_prompt_is_another_pair(desk):
    """Nothing of one call is in the next."""
    prompts = ("a fox", "a very different thing")
    apart = [desk.make(prompt=prompt, acceleration=APART) for prompt in prompts]
    found = [desk.make(prompt=prompt) for prompt in prompts]
    assert not np.array_equal(*apart)
    for one, other in zip(apart, found, strict=True):
        assert np.abs(one.astype(int) - other).max() <= 1


def test_without_guidance_each_step_has_one_pass(desk):
    """There is nothing to pair, and every pass is the pipeline's own."""
    apart = desk.make(guidance_scale=1.0, acceleration=APART)
    assert np.array_equal(desk.make(guidance_scale=1.0), apart)
    assert "guidance_batched" not in desk.facts


def test_a_stopped_run_leaves_nothing(desk):
    """The transformer has its own forward pass again."""
    exact = desk.make(num_inference_steps=STEPS)
    stop = StopsAt(2)
    with pytest.raises(GenerationCanceledError):
        desk.make(num_inference_steps=STEPS, progress=stop, cancel=stop)
    assert "forward" not in vars(desk.pipeline.transformer)
    assert np.array_equal(desk.make(num_inference_steps=STEPS), exact)


def test_a_stop_is_heard_before_the_second_pass(desk):
    """The hooks on the transformer run for both calls, made together or not."""
    desk.make()
    with CallCounter(desk.pipeline.transformer) as calls:
        desk.make(num_inference_steps=STEPS)
    assert calls.count == 2 * STEPS


def test_with_a_cache_they_stay_apart(desk):
    """It keeps what it knows of each pass under its name."""
    settings = {"num_inference_steps": MIN_STEPS}
    wanted = {"cache_threshold": 0.9, "batch_guidance": "on"}
    desk.make(**settings, acceleration=wanted)
    assert "guidance_batched" not in desk.facts
    done = desk.facts["cache"]
    assert done["computed"] + done["skipped"] == 2 * MIN_STEPS


def test_who_asks_for_it_in_vain_is_told(desk):
    """Before a step is made, with the word that works."""
    with pytest.raises(ValidationError, match=r"acceleration: batch_guidance 'on'.*'auto'"):
        desk.make("ltx-video", acceleration={"batch_guidance": "on"})


def test_a_rewritten_prompt_is_a_pass_of_its_own():
    """Only the very tensors that were seen together are made together."""
    model = transformer()
    words = [torch.full((1, 4, 16), float(value)) for value in range(3)]
    with batch_guidance_passes(Deep(model)) as state, torch.no_grad():
        for first, second in ((0, 1), (0, 1), (0, 2), (2, 1)):
            latents, moment = torch.ones(1, 4, 2, 4, 4), torch.full((1,), float(first + second))
            for index in (first, second):
                made = call(model, latents, moment, words[index])
                assert torch.allclose(made, plain(latents, moment, words[index]), atol=1e-5)
    assert state.batched == 2  # The second pair, and the third, whose second half was in vain.
    assert "forward" not in vars(model)


@pytest.mark.parametrize(
    ("device", "tokens", "expected"),
    [
        ("cpu", MAX_TOKENS, True),
        ("cpu", MAX_TOKENS + 1, False),
        ("cpu", None, False),
        ("cuda", 80, False),
    ],
)
def test_only_short_passes_on_a_cpu_pay(device, tokens, expected):
    """The same call always decides in the same way."""
    assert is_batching_worthwhile(torch.device(device), tokens) is expected


def test_it_is_on_for_the_model_that_comes_along(shipped):
    """Nothing has to be asked for."""
    shipped.make("doodle", num_inference_steps=STEPS)
    assert shipped.facts["guidance_batched"] == STEPS - 1


class Deep:
    """A pipeline of one transformer."""

    def __init__(self, model: torch.nn.Module) -> None:
        self.components = {"transformer": model}


class Passes:
    """Sees how many rows each pass through the transformers really has."""

    def __init__(self, desk: SpeedRunner) -> None:
        parts = desk.pipeline.components
        self.of = [
            part
            for name, part in parts.items()
            if name.startswith("transformer") and part is not None
        ]
        self.rows: list[int] = []

    def __enter__(self) -> Self:
        self._handles = [
            part.patch_embedding.register_forward_hook(self._count) for part in self.of
        ]
        return self

    def __exit__(self, *_error: object) -> None:
        for handle in self._handles:
            handle.remove()

    def _count(self, _module: Any, _given: Any, made: torch.Tensor) -> None:
        self.rows.append(len(made))


def transformer() -> WanTransformer3DModel:
    """Return a small one, always with the same weights."""
    torch.manual_seed(0)
    small = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 16, "num_layers": 2}
    widths = {"text_dim": 16, "freq_dim": 16, "in_channels": 4, "out_channels": 4}
    return WanTransformer3DModel(**small, **widths).eval()


def call(model: Any, latents: Any, moment: Any, words: Any) -> torch.Tensor:
    """Call it as a pipeline does."""
    given = {"hidden_states": latents, "timestep": moment, "encoder_hidden_states": words}
    made: torch.Tensor = model(**given, attention_kwargs=None, return_dict=False)[0]
    return made


def plain(latents: Any, moment: Any, words: Any) -> torch.Tensor:
    """Return the pass of a transformer that nobody has touched."""
    with torch.no_grad():
        return call(transformer(), latents, moment, words)
