"""What makes a run faster is really on, does what it says, and is gone after the run."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch
from diffusers import AutoencoderKLWan, WanTransformer3DModel
from diffusers.models.attention_dispatch import AttentionBackendName, _AttentionBackendRegistry
from tests.local.speed.desk import CallCounter, StopsAt
from torch._dynamo.testing import CompileCounter
from torch._dynamo.utils import counters
from torch.utils.flop_counter import FlopCounterMode

from tiomagic_domain.errors import GenerationCanceledError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_local.acceleration import attention, prompt_cache
from tiomagic_local.acceleration.channels_last import set_channels_last
from tiomagic_local.acceleration.compilation import (
    MIN_FLOP,
    compile_blocks,
    is_compiling_worthwhile,
)
from tiomagic_local.acceleration.flops import estimate_flop
from tiomagic_local.acceleration.step_caches.activate import MIN_STEPS, enable_step_cache
from tiomagic_local.acceleration.step_caches.clock import StepClock
from tiomagic_local.acceleration.step_caches.kinds import CacheRun

CPU = torch.device("cpu")
EAGER = {"attention": "native", "remember_prompts": False, "batch_guidance": "off"}
"""Nothing but diffusers."""
CACHED = {"cache_threshold": 0.9}
FAMILIES = [
    ("wan2.1-t2v-1.3b", Feature.TEXT_TO_VIDEO),
    ("wan2.1-vace-1.3b", Feature.POSE_GUIDANCE),
    ("cogvideox-2b", Feature.TEXT_TO_VIDEO),
    ("ltx-video", Feature.TEXT_TO_VIDEO),
]


@pytest.mark.parametrize(("model", "feature"), FAMILIES)
class TestEveryFamily:
    """The same for each way in which a pipeline encodes and attends."""

    def test_exact_is_what_diffusers_does(self, desk, model, feature):
        """On a CPU nothing differs, not even by rounding: with a prompt from memory as well.

        What is batched is rounded in another way, and has tests of its own.
        """
        plain = desk.make(model, feature, acceleration=EAGER)
        assert desk.facts == {"attention": "native", "compiled": []}
        first = desk.make(model, feature, acceleration={"batch_guidance": "off"})
        again = desk.make(model, feature, acceleration={"batch_guidance": "off"})
        assert desk.facts["prompts_remembered"] >= 1
        assert np.array_equal(plain, first)
        assert np.array_equal(plain, again)

    def test_the_cache_leaves_out_blocks_and_is_gone_afterwards(self, desk, model, feature):
        """It skips, repeats to the last bit, and the next exact run knows nothing of it."""
        exact = desk.make(model, feature, num_inference_steps=MIN_STEPS)
        fast = desk.make(model, feature, num_inference_steps=MIN_STEPS, acceleration=CACHED)
        done = desk.facts["cache"]
        assert "refused" not in done, done
        assert done["skipped"] > 0
        assert done["computed"] > 0
        again = desk.make(model, feature, num_inference_steps=MIN_STEPS, acceleration=CACHED)
        assert desk.facts["cache"] == done
        assert np.array_equal(fast, again)
        assert not np.array_equal(fast, exact)
        after = desk.make(model, feature, num_inference_steps=MIN_STEPS)
        assert np.array_equal(after, exact)


class TestPrompts:
    """What the encoders gave is kept."""

    def test_the_encoder_is_called_once_for_a_prompt(self, desk):
        """Another seed needs no encoder; another prompt and another negative one do."""
        desk.make(prompt="a fox that nobody has seen")
        with CallCounter(desk.pipeline.text_encoder) as encoder:
            desk.make(prompt="a fox that nobody has seen", seed=8)
            assert encoder.count == 0
            desk.make(prompt="another fox")
            assert encoder.count > 0
            before = encoder.count
            desk.make(prompt="another fox", negative_prompt="a dog")
            assert encoder.count > before

    def test_a_pipeline_is_left_as_it_was(self, desk):
        """Its own method is back, after a run that was stopped as well."""
        desk.make()
        assert "encode_prompt" not in vars(desk.pipeline)
        stop = StopsAt(1)
        with pytest.raises(GenerationCanceledError):
            desk.make(progress=stop, cancel=stop)
        assert "encode_prompt" not in vars(desk.pipeline)

    def test_tensors_are_never_looked_up(self):
        """A call with an object among its arguments goes to the pipeline."""
        pipeline = Encodes()
        with prompt_cache.PromptCache().activate(pipeline):
            given = torch.ones(1)
            pipeline.encode_prompt("a fox", embeds=given)
            pipeline.encode_prompt("a fox", embeds=given)
        assert pipeline.calls == 2

    def test_what_is_kept_cannot_be_written_into(self):
        """A pipeline that changes what it was given changes its own copy."""
        pipeline, memory = Encodes(), prompt_cache.PromptCache()
        with memory.activate(pipeline):
            for _ in range(3):
                encoded, mask = pipeline.encode_prompt("a fox")
                assert (encoded.tolist(), mask) == ([1.0], None)
                encoded.zero_()
        assert pipeline.calls == 1

    def test_the_oldest_are_forgotten(self, monkeypatch):
        """By number, and by size."""
        pipeline, memory = Encodes(), prompt_cache.PromptCache()
        monkeypatch.setattr(prompt_cache, "MAX_ENTRIES", 2)
        with memory.activate(pipeline):
            for prompt in ("a", "b", "a", "c", "a"):
                pipeline.encode_prompt(prompt)
            assert pipeline.calls == 3  # "b" went, for it was used least lately.
            monkeypatch.setattr(prompt_cache, "MAX_BYTES", 4)
            pipeline.encode_prompt("d")
            pipeline.encode_prompt("a")
        assert pipeline.calls == 5

    def test_a_pipeline_without_the_method_runs(self):
        """It is left alone."""
        with prompt_cache.PromptCache().activate(object()):
            pass


class Encodes:
    """Has the method that pipelines have."""

    def __init__(self) -> None:
        self.calls = 0

    def encode_prompt(self, prompt: str, embeds: Any = None) -> tuple[torch.Tensor, None]:
        """Return something for a prompt."""
        self.calls += 1
        return torch.ones(1), None


class TestCache:
    """Most of the transformer is left out."""

    def test_a_threshold_that_nothing_meets_changes_nothing(self, desk):
        """Every call computes, and the frames are the exact ones."""
        exact = desk.make(num_inference_steps=MIN_STEPS)
        found = desk.make(num_inference_steps=MIN_STEPS, acceleration={"cache_threshold": 1e-9})
        assert desk.facts["cache"]["skipped"] == 0
        assert desk.facts["cache"]["computed"] >= MIN_STEPS
        assert np.array_equal(exact, found)

    def test_the_blocks_are_really_not_called(self, desk):
        """The last block runs as often as the record says."""
        desk.make()
        blocks = desk.pipeline.transformer.blocks
        with CallCounter(blocks[-1].ffn) as last, CallCounter(blocks[0].ffn) as first:
            desk.make(num_inference_steps=MIN_STEPS, acceleration=CACHED)
        done = desk.facts["cache"]
        assert first.count == done["computed"] + done["skipped"]
        assert last.count == done["computed"]

    def test_a_stopped_run_leaves_nothing(self, desk):
        """The next run, cached or not, is the one it would have been."""
        settings = {"num_inference_steps": MIN_STEPS}
        exact = desk.make(**settings)
        fast = desk.make(**settings, acceleration=CACHED)
        stop = StopsAt(6)
        with pytest.raises(GenerationCanceledError):
            desk.make(**settings, acceleration=CACHED, progress=stop, cancel=stop)
        assert np.array_equal(desk.make(**settings, acceleration=CACHED), fast)
        assert np.array_equal(desk.make(**settings), exact)

    def test_few_steps_are_not_cached(self, desk):
        """The record says why."""
        desk.make(num_inference_steps=MIN_STEPS - 1, acceleration=CACHED)
        assert "steps" in desk.facts["cache"]["refused"]

    def test_a_transformer_that_is_not_known_runs_without(self, desk):
        """No hook stays on it, and the video is the exact one."""
        model, feature = "wan2.2-animate-14b", Feature.POSE_GUIDANCE
        exact = desk.make(model, feature, num_inference_steps=MIN_STEPS)
        found = desk.make(model, feature, num_inference_steps=MIN_STEPS, acceleration=CACHED)
        assert "cannot be cached" in desk.facts["cache"]["refused"]
        assert np.array_equal(exact, found)
        hooks = [
            name
            for module in desk.pipeline.transformer.modules()
            for name in getattr(getattr(module, "_diffusers_hook", None), "hooks", {})
        ]
        assert not [name for name in hooks if name.startswith("fbc")]

    def test_a_pipeline_without_caches_says_so(self):
        """Nothing is turned on."""
        run = CacheRun(level=0.1, steps=50, clock=StepClock())
        with enable_step_cache(NoCaches(), "first_block", run) as state:
            assert state.to_dict() == {"refused": "the transformer has no caches"}


class TestLayout:
    """The weights of a VAE, as a GPU reads them."""

    def test_only_the_order_changes(self):
        """Every convolution lies channels last, and what is decoded is the same up to rounding."""
        torch.manual_seed(0)
        vae = AutoencoderKLWan(base_dim=8, dim_mult=[1, 1, 1, 1], num_res_blocks=1).eval()
        with torch.no_grad():
            plain = vae.decode(torch.ones(1, 16, 2, 2, 2), return_dict=False)[0]
            assert set_channels_last(vae)
            laid = vae.decode(torch.ones(1, 16, 2, 2, 2), return_dict=False)[0]
        weight = vae.decoder.conv_in.weight
        assert weight.is_contiguous(memory_format=torch.channels_last_3d)
        assert not weight.is_contiguous()
        assert torch.allclose(plain, laid, atol=1e-5)

    def test_one_that_was_not_measured_is_left_alone(self):
        """It may be slower by it."""
        assert not set_channels_last(torch.nn.Conv3d(2, 2, 3))


class Deep:
    """A pipeline of one transformer."""

    def __init__(self, transformer: torch.nn.Module) -> None:
        self.components = {"transformer": transformer}


def deep() -> WanTransformer3DModel:
    """Return a transformer with more blocks than the compiler makes graphs of one function."""
    small = {"num_attention_heads": 2, "attention_head_dim": 12, "ffn_dim": 16, "num_layers": 10}
    widths = {"text_dim": 16, "freq_dim": 16, "in_channels": 4, "out_channels": 4}
    return WanTransformer3DModel(**small, **widths).eval()


def deep_inputs(step: int) -> tuple[torch.Tensor, ...]:
    """Return what it takes."""
    return torch.ones(1, 4, 2, 4, 4), torch.full((1,), float(step)), torch.ones(1, 4, 16)


class Shapes:
    """As much of a Wan pipeline as tells its shapes."""

    vae_scale_factor_spatial, vae_scale_factor_temporal = 8, 4

    def __init__(self, transformer: torch.nn.Module) -> None:
        self.transformer = transformer


class NoCaches:
    """A pipeline whose transformer knows of none."""

    components = {"transformer": torch.nn.Linear(1, 1), "vae": None}  # noqa: RUF012


class TestAttention:
    """The best exact one, chosen once."""

    @pytest.mark.parametrize(
        ("capability", "masked", "names"),
        [
            ((12, 0), False, ("_native_cudnn", "flash", "native")),
            ((9, 0), False, ("_flash_3", "_native_cudnn", "flash", "native")),
            ((9, 0), True, ("_native_cudnn", "native")),
            ((8, 6), False, ("flash", "native")),
            ((8, 0), True, ("native",)),
            ((7, 5), False, ("native",)),
        ],
    )
    def test_the_order_of_a_card(self, monkeypatch, capability, masked, names):
        """What a card has no kernels for is not tried."""
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _device: capability)
        assert attention.candidates(torch.device("cuda"), masked=masked) == names

    def test_the_first_that_works_is_taken(self):
        """One that is not installed is passed over; the last one needs no trial."""
        assert attention.candidates(CPU, masked=False) == ("native",)
        find = attention.find_working_backend
        assert find(("_flash_3", "flash", "_native_math", "native"), CPU, torch.float32) == (
            "_native_math"
        )
        assert find(("flash", "native"), CPU, torch.float32) == "native"

    def test_one_that_is_wrong_is_not_taken(self, monkeypatch):
        """What differs by more than rounding is no candidate."""
        monkeypatch.setitem(
            _AttentionBackendRegistry._backends,
            AttentionBackendName._NATIVE_MATH,
            lambda query, **_rest: query,
        )
        find = attention.find_working_backend.__wrapped__
        assert find(("_native_math", "native"), CPU, torch.float32) == "native"

    def test_one_that_is_asked_for_is_used_and_put_back(self, desk, monkeypatch):
        """Every product goes through it, and the next model of the process has its own."""
        seen: list[str] = []
        original = attention.use_backend

        def watched(name: str) -> Any:
            seen.append(name)
            return original(name)

        monkeypatch.setattr("tiomagic_local.acceleration.apply.use_backend", watched)
        before = _AttentionBackendRegistry._active_backend
        desk.make(acceleration={"attention": "native"})
        assert (seen, desk.facts["attention"]) == (["native"], "native")
        stop = StopsAt(1)
        with pytest.raises(GenerationCanceledError), attention.use_backend("_native_math"):
            desk.make(progress=stop, cancel=stop)
        assert _AttentionBackendRegistry._active_backend == before

    def test_one_that_does_not_work_is_refused_with_the_reason(self, desk):
        """Before a step is made; the word that always works is named."""
        with pytest.raises(ValidationError, match=r"acceleration: attention 'flash3'.*'auto'"):
            desk.make(acceleration={"attention": "flash3"})
        with pytest.raises(ValidationError, match="takes no mask"):
            desk.make("ltx-video", acceleration={"attention": "flash"})

    def test_the_variable_of_diffusers_wins(self, monkeypatch):
        """Somebody who set it meant it."""
        monkeypatch.setenv("DIFFUSERS_ATTN_BACKEND", "_native_math")
        assert attention.choose_backend(CPU, torch.float32, masked=True) == "_native_math"


class TestCompiling:
    """Blocks are compiled where it pays."""

    def test_compiled_blocks_run_and_are_gone_afterwards(self, desk):
        """Traced by the compiler's front half: the code that inductor would make is not needed."""
        exact = desk.make()
        counter = CompileCounter()
        with compile_blocks(desk.pipeline, backend=counter) as names:
            assert names == ["transformer"]
            frames = desk.make()
        assert counter.frame_count > 0
        assert np.array_equal(exact, frames)
        before = counter.frame_count
        torch._dynamo.reset()
        assert np.array_equal(exact, desk.make())
        assert counter.frame_count == before

    @pytest.mark.parametrize("cached", [False, True])
    def test_all_blocks_share_one_graph(self, cached):
        """With the hooks of a cache as well: else the compiler gives up at the ninth block."""
        torch._dynamo.reset()
        counter, model = CompileCounter(), deep()
        run = CacheRun(level=0.5, steps=MIN_STEPS, clock=StepClock())
        cache = (
            enable_step_cache(Deep(model), "first_block", run)
            if cached
            else contextlib.nullcontext()
        )
        counters.clear()
        with compile_blocks(Deep(model), backend=counter), cache as state, torch.no_grad():
            for step in range(3):
                with model.cache_context("cond"):
                    model(*deep_inputs(900 - step))
        assert counter.frame_count == 1
        assert not counters["graph_break"]
        assert not cached or state.skipped == 2
        assert "forward" not in vars(model.blocks[0]) or not cached

    def test_another_attention_is_another_graph(self):
        """A compiled block does not go on with the attention that it was compiled with."""
        torch._dynamo.reset()
        counter, model = CompileCounter(), deep()
        for name in ("native", "_native_math"):
            one = attention.use_backend(name), compile_blocks(Deep(model), backend=counter)
            with one[0], one[1], torch.no_grad():
                model(*deep_inputs(0))
        assert counter.frame_count == 2

    def test_blocks_whose_layers_come_one_by_one_are_left_alone(self):
        """Their hooks would cut the graph into crumbs."""
        model = deep()
        model.enable_group_offload(onload_device=CPU, offload_device=CPU, offload_type="leaf_level")
        with compile_blocks(Deep(model), backend=CompileCounter()) as names:
            assert names == []

    def test_only_long_runs_on_a_gpu_pay(self):
        """The same call always decides in the same way."""
        gpu = torch.device("cuda")
        assert is_compiling_worthwhile(gpu, MIN_FLOP)
        assert not is_compiling_worthwhile(gpu, MIN_FLOP / 2)
        assert not is_compiling_worthwhile(gpu, None)
        assert not is_compiling_worthwhile(CPU, 1e30)

    def test_a_transformer_without_repeated_blocks_is_left_alone(self):
        """There is nothing to compile."""
        with compile_blocks(NoCaches()) as names:
            assert names == []


class TestWork:
    """The arithmetic of a run."""

    def test_it_is_what_a_pass_does(self):
        """Counted by torch on a Wan transformer with few words; the small parts are left out."""
        model = WanTransformer3DModel(
            num_attention_heads=4,
            attention_head_dim=64,
            ffn_dim=1024,
            num_layers=2,
            text_dim=16,
            freq_dim=16,
            in_channels=4,
            out_channels=4,
        )
        pipeline = Shapes(model)
        settings = {"width": 256, "height": 128, "num_frames": 17, "num_inference_steps": 3}
        work = estimate_flop(pipeline, {**settings, "guidance_scale": 5.0})
        assert work is not None
        assert (work.tokens, work.passes) == (5 * 8 * 16, 6)
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            model(torch.zeros(1, 4, 5, 16, 32), torch.zeros(1), torch.zeros(1, 4, 16))
        assert work.flop / work.passes == pytest.approx(counter.get_total_flops(), rel=0.1)

    def test_nobody_can_tell_without_a_size(self, desk):
        """A model that does not let its length be chosen."""
        desk.make()
        assert estimate_flop(desk.pipeline, {"width": 64}) is None


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    """No test may leave another backend behind."""
    before = _AttentionBackendRegistry._active_backend
    yield
    assert _AttentionBackendRegistry._active_backend == before
