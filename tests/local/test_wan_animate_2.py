"""Wan-Animate-2: the video is followed as it is, exactly, and without a matrix of scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save
from torch.nn.attention import flex_attention

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.testing.contracts.features import PoseGuidanceContract, bytes_of
from tiomagic_local.engines._wan_animate_2 import EightBits
from tiomagic_local.engines.wan_animate_2 import WanAnimate2, whole_picture
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

MODEL, DISTILLED = "wan2.2-animate-2-14b", "wan2.2-animate-2-14b-distilled"
FEATURE = Feature.POSE_GUIDANCE


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny models."""
    weights = save(tmp_path_factory.mktemp("weights"), [MODEL, DISTILLED])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


@pytest.fixture
def engine(runtime: Runtime) -> Any:
    """The loaded engine."""
    return engine_of(runtime, MODEL, FEATURE)


@pytest.fixture
def inputs(studio: Materials) -> Any:
    """A picture and a plain video."""
    media = {"image": studio.picture(), "guiding_video": studio.video()}
    return studio.request(MODEL, FEATURE, media=media).inputs


class TestBase(PoseGuidanceContract):
    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE)


class TestDistilled(PoseGuidanceContract):
    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, DISTILLED, FEATURE)

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(DISTILLED, FEATURE)


def make(engine: Any, inputs: Any, progress: Any = ignore_progress, **changes: Any) -> Any:
    settings = settings_of(MODEL, FEATURE, **changes)
    return engine.pose_guidance(inputs, settings, progress, NeverCanceled())


def given_to(engine: Any, inputs: Any, **changes: Any) -> dict[str, Any]:
    """Return the arguments that the pipeline gets."""
    recorder = CallRecorder(engine._pipeline)
    settings = settings_of(MODEL, FEATURE, **changes)
    WanAnimate2(recorder, find_model(MODEL)).pose_guidance(
        inputs, settings, ignore_progress, NeverCanceled()
    )
    (arguments,) = recorder.calls
    return dict(arguments)


class TestAttention:
    def passes(self, transformer: Any) -> torch.Tensor:
        """Return what one step predicts after the pass over a driving video of two frames."""
        from diffusers.models.transformers.transformer_wan_animate_2 import WanAnimate2KVCache

        drawn = torch.Generator().manual_seed(3)

        def noise(*shape: int) -> torch.Tensor:
            return torch.randn(*shape, generator=drawn)

        cache = WanAnimate2KVCache(transformer.config.num_layers)
        grid = torch.tensor([[2, 3, 4]])
        words = {"encoder_hidden_states": [noise(5, 32)]}
        words["encoder_hidden_states_image"] = noise(1, 4, 1280)
        with torch.no_grad():
            transformer(
                [noise(16, 2, 6, 8)],
                timestep=torch.tensor([900.0]),
                condition_latents=[noise(20, 2, 6, 8)],
                kv_cache=cache,
                kv_cache_mode="extract",
                seq_len=24,
                offset_grid_sizes=grid,
                **words,
            )
            made: torch.Tensor = transformer(
                [noise(16, 3, 6, 8)],
                timestep=torch.tensor([900.0]),
                condition_latents=[noise(20, 3, 6, 8)],
                kv_cache=cache,
                kv_cache_mode="cached",
                seq_len=36,
                reference_grid_sizes=grid,
                origin_len=5,
                origin_area=[48, 64],
                **words,
            ).sample[0]
        return made

    def library_s(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> torch.Tensor:
        """Return the same of the library's own attention, with the mask that it makes."""
        from diffusers import WanAnimate2Transformer3DModel
        from diffusers.models.transformers import transformer_wan_animate_2 as module

        ours = engine._pipeline.transformer
        theirs = WanAnimate2Transformer3DModel.from_config(ours.config).eval()
        theirs.load_state_dict(ours.state_dict())

        def plain(*given: Any, _compile: bool, **rest: Any) -> Any:
            return flex_attention.create_block_mask(*given, **rest)

        # Compiling takes minutes here, and gives the same mask.
        monkeypatch.setattr(module, "create_block_mask", plain)
        return self.passes(theirs)

    @pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
    def test_it_is_the_library_s(self, engine: Any, monkeypatch: pytest.MonkeyPatch) -> None:
        """Frames that take turns see what the mask of all pairs lets them see."""
        expected = self.library_s(engine, monkeypatch)
        found = self.passes(engine._pipeline.transformer)
        assert expected.std() > 0.01
        assert torch.allclose(found, expected, atol=1e-5 * float(expected.abs().max()))

    def test_main_memory_changes_no_bit(self, engine: Any) -> None:
        """The cache waits elsewhere; eight bits are close, and not the same."""
        transformer, store = engine._pipeline.transformer, engine._store
        exact = self.passes(transformer)
        store.in_main_memory = True
        try:
            assert torch.equal(self.passes(transformer), exact)
            store.eight_bits = True
            small = self.passes(transformer)
        finally:
            store.in_main_memory = store.eight_bits = False
        assert not torch.equal(small, exact)
        assert torch.allclose(small, exact, atol=0.01 * float(exact.abs().max()))
        assert torch.equal(self.passes(transformer), exact)

    def test_a_second_engine_shares_the_store(self, engine: Any) -> None:
        """So each of them says where the cache of their transformer waits."""
        assert WanAnimate2(engine._pipeline, find_model(MODEL))._store is engine._store

    def test_eight_bits_round_each_token_of_each_head(self) -> None:
        """To half a level of the token's own largest number."""
        tensor = torch.randn(1, 6, 2, 12, generator=torch.Generator().manual_seed(1))
        tensor[0, 0] *= 1000
        kept = EightBits.of(tensor)
        assert kept.levels.dtype is torch.int8
        error = (kept.restored(torch.float32) - tensor).abs().amax(dim=-1, keepdim=True)
        assert (error <= kept.scale / 2 * 1.001).all()

    def test_no_matrix_of_scores_is_made(self, engine: Any, inputs: Any) -> None:
        """No mask over pairs of tokens either: the library's own way would need both."""
        make(engine, inputs)
        assert len(engine._pipeline.transformer.block_masks) == 0


def test_the_video_is_followed_as_it_is(engine: Any, studio: Materials) -> None:
    """In real time, whole, on black; the character whole, or cropped by a few pixels."""
    frames = np.zeros((5, 32, 64, 3), np.uint8)
    for index in range(5):
        frames[index, :, :8] = frames[index, :, -8:] = 50 * (index + 1)
    media = {"image": studio.picture((50, 50)), "guiding_video": studio.film(frames)}
    inputs: Any = studio.request(MODEL, FEATURE, media=media).inputs
    given = given_to(engine, inputs, num_frames=13, width=48, height=48)
    seen = [int(np.asarray(frame)[24, 2].mean()) for frame in given["driving_video"]]
    # Moments of 1/24 s in frames of 1/8 s: each is seen three times.
    expected = [50 * (1 + moment * 8 // 24) for moment in range(13)]
    assert np.abs(np.array(seen) - expected).max() < 25
    assert np.asarray(given["driving_video"][0])[:8].max() < 25
    assert given["segment_frame_length"] == 13
    assert np.asarray(given["image"]).shape == (48, 48, 3)


def test_a_picture_of_another_shape_is_whole_on_black(studio: Materials) -> None:
    """One that nearly fits fills the frame."""
    tall = studio.keep(Image.new("RGB", (32, 96), "white"))
    placed = np.asarray(whole_picture(tall, (96, 96)))
    assert not placed[:, :31].any()
    assert placed[:, 33:63].all()
    near = studio.keep(Image.new("RGB", (100, 96), "white"))
    assert np.asarray(whole_picture(near, (96, 96))).all()


@pytest.mark.parametrize(("frames", "segments"), [(81, 1), (85, 2), (161, 2)])
def test_every_length_comes_out_as_asked(
    engine: Any, inputs: Any, frames: int, segments: int
) -> None:
    """Also where it ends within a segment; steps are counted over all of them."""
    told: list[Progress] = []
    clip = make(engine, inputs, told.append, num_frames=frames, width=16, height=16)
    assert clip.frames.shape == (frames, 16, 16, 3)
    steps = [moment.step for moment in told if moment.phase is Phase.DENOISING]
    assert steps == list(range(2 * segments + 1))


@pytest.mark.parametrize("size", [(112, 144), (176, 240)])
def test_a_size_whose_area_has_no_exact_root(
    engine: Any, inputs: Any, size: tuple[int, int]
) -> None:
    """The pipeline computes the sides from the area, which rounds these down by a step."""
    width, height = size
    clip = make(engine, inputs, width=width, height=height, num_inference_steps=1)
    assert clip.frames.shape == (5, height, width, 3)


def test_the_motion_changes_the_video(engine: Any, inputs: Any, studio: Materials) -> None:
    """Through the cache: with other frames to follow, others are made."""
    still = studio.film(np.full((9, 48, 64, 3), 255, np.uint8))
    media = {"image": inputs.image, "guiding_video": still}
    other = studio.request(MODEL, FEATURE, media=media).inputs
    assert (make(engine, inputs).frames != make(engine, other).frames).any()


def test_words_and_guidance_count(engine: Any, inputs: Any) -> None:
    """At 1 there is no guidance; above, the negative prompt acts."""

    def bits(**changes: Any) -> bytes:
        return bytes_of(make(engine, inputs, **changes)).tobytes()

    assert bits(guidance_scale=1.0) == bits(guidance_scale=1.0, negative_prompt="blur")
    assert bits() != bits(negative_prompt="blur")


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        ("blocks.0.self_attn.q", "blocks.0.self_attn.to_q"),
        ("blocks.1.ffn.0", "blocks.1.ffn.0"),
        ("blocks.0.attn1.to_q", "blocks.0.self_attn.to_q"),
    ],
)
def test_a_lora_in_all_names_comes_and_goes(
    runtime: Runtime, inputs: Any, tmp_path: Path, layer: str, name: str
) -> None:
    """The layers of Wan's LoRAs are here too; the next run is bit for bit as before."""
    engine = engine_of(runtime, MODEL, FEATURE)
    tall, wide = engine._pipeline.transformer.get_submodule(name).weight.shape
    drawn = torch.Generator().manual_seed(1)
    down = torch.randn(2, wide, generator=drawn)
    tensors = {f"diffusion_model.{layer}.lora_down.weight": down}
    tensors[f"diffusion_model.{layer}.lora_up.weight"] = torch.randn(tall, 2, generator=drawn)
    save_file(tensors, tmp_path / "style.safetensors")
    plain = make(engine, inputs).frames
    settings = settings_of(MODEL, FEATURE, loras=[{"source": str(tmp_path / "style.safetensors")}])
    with runtime.use(find_model(MODEL), settings, ignore_progress, NeverCanceled()) as loaded:
        changed = engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled()).frames
        assert [fact["layers"] for fact in loaded.loras] == [1]
    assert (changed != plain).any()
    assert (make(engine, inputs).frames == plain).all()


def test_the_distilled_model_has_neither_guidance_nor_a_negative_prompt(
    runtime: Runtime, inputs: Any, tmp_path: Path
) -> None:
    """Its own settings, and Euler's steps with the authors' shift."""
    schema = find_model(DISTILLED).schema(FEATURE)
    names = {parameter.name for parameter in schema.parameters}
    assert not names & {"guidance_scale", "negative_prompt", "pose_video"}
    engine = engine_of(runtime, DISTILLED, FEATURE)
    engine.pose_guidance(inputs, settings_of(DISTILLED, FEATURE), ignore_progress, NeverCanceled())
    pipeline = engine._pipeline
    assert type(pipeline.scheduler).__name__ == "FlowMatchEulerDiscreteScheduler"
    assert pipeline.scheduler.config.shift == 5.0
    assert pipeline.guider.guidance_scale == 1.0
