"""CogVideoX: one type for all components, its own schedulers, lengths and sizes that come true."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import ImageToVideoContract, TextToVideoContract
from tiomagic_local.engines import find_engine
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.weights.locate import find_weights
from tiomagic_media.decode.frames import cover, load_image

SMALL, FIRST, SECOND = "cogvideox-2b", "cogvideox-5b", "cogvideox1.5-5b"
FIRST_PICTURE, SECOND_PICTURE = "cogvideox-5b-image-to-video", "cogvideox1.5-5b-image-to-video"
MODELS = (SMALL, FIRST, SECOND, FIRST_PICTURE, SECOND_PICTURE)
TEXT, PICTURE = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO

SMALLEST = {"width": 16, "height": 16}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> LocalOptions:
    """Tiny weights for all of the family."""
    return LocalOptions(weights_dir=save(tmp_path_factory.mktemp("weights"), MODELS), device="cpu")


@pytest.fixture(scope="module")
def runtime(options: LocalOptions) -> Runtime:
    """A runtime over them."""
    return Runtime(options)


def make(runtime: Runtime, studio: Materials, model: str, feature: Feature, **changes: Any) -> Any:
    """Return a clip of the smallest size, with changed settings."""
    engine, inputs = engine_of(runtime, model, feature), studio.request(model, feature).inputs
    settings = settings_of(model, feature, **{**SMALLEST, **changes})
    return getattr(engine, feature.value)(inputs, settings, ignore_progress, NeverCanceled())


class OnTinyWeights:
    """Fixtures of the contracts."""

    model: str
    feature: Feature
    frames: int

    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, self.model, self.feature)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(self.model, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(self.model, self.feature, num_frames=self.frames, **SMALLEST)


class TestWords(OnTinyWeights, TextToVideoContract):
    model, feature, frames = FIRST, TEXT, 9


class TestPicture(OnTinyWeights, ImageToVideoContract):
    model, feature, frames = SECOND_PICTURE, PICTURE, 17


@pytest.mark.parametrize(
    ("model", "frames"), [(SMALL, 9), (SMALL, 17), (FIRST, 25), (SECOND, 17), (SECOND, 33)]
)
def test_the_length_is_what_was_asked_for(
    runtime: Runtime, studio: Materials, model: str, frames: int
) -> None:
    """Also where version 1.5 pads an odd number of latent frames: the padding is cut off again."""
    clip = make(runtime, studio, model, TEXT, num_frames=frames, num_inference_steps=1)
    assert clip.frames.shape == (frames, 16, 16, 3)


@pytest.mark.parametrize(
    ("model", "given", "nearest"),
    [(FIRST, 48, 49), (FIRST, 6, 9), (FIRST, 13, 9), (FIRST, 81, 49), (SECOND, 80, 81)],
)
def test_lengths_that_the_pipeline_would_change_are_refused(
    model: str, given: int, nearest: int
) -> None:
    """The nearest length that comes out as asked is offered; 48 was an old interface's default."""
    schema = find_model(model).schema(TEXT)
    with pytest.raises(ValidationError) as caught:
        schema.validate({"prompt": "a", "num_frames": given})
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == ("num_frames", nearest)


def test_an_even_number_of_latent_frames_would_not_come_out_as_asked(
    runtime: Runtime, studio: Materials
) -> None:
    """Six frames become eight in the pipeline; the engine says so and returns no other length."""
    with pytest.raises(GenerationError, match=r"\(8, 16, 16, 3\) instead of \(6, 16, 16, 3\)"):
        make(runtime, studio, FIRST, TEXT, num_frames=6, num_inference_steps=1)


@pytest.mark.parametrize("side", [8, 24, 40, 488])
def test_sides_that_pass_the_pipelines_check_and_break_it_are_refused(side: int) -> None:
    """The pipeline looks for multiples of 8 and then needs multiples of 16."""
    schema = find_model(FIRST).schema(TEXT)
    with pytest.raises(ValidationError, match="a multiple of 16"):
        schema.validate({"prompt": "a", "height": side})


def test_learned_positions_are_for_one_size(runtime: Runtime, studio: Materials) -> None:
    """The schema offers 720x480 and nothing else, and the model really refuses all others."""
    schema = find_model(FIRST_PICTURE).schema(PICTURE)
    with pytest.raises(ValidationError) as caught:
        schema.validate({"prompt": "a", "image": "a.png", "width": 704, "height": 496})
    assert [problem.nearest for problem in caught.value.problems] == [720, 480]
    with pytest.raises(GenerationError, match="not possible to generate videos at a different"):
        make(runtime, studio, FIRST_PICTURE, PICTURE, num_frames=9)


def test_the_picture_is_not_stretched(runtime: Runtime, studio: Materials) -> None:
    """The pipeline would fit it to the size without its aspect, so it comes in that size."""
    card = find_model(SECOND_PICTURE)
    recorder = CallRecorder(engine_of(runtime, SECOND_PICTURE, PICTURE)._pipeline)
    engine: Any = find_engine(card.engine)(recorder, card)
    inputs: Any = studio.request(SECOND_PICTURE, PICTURE).inputs
    settings = settings_of(SECOND_PICTURE, PICTURE, width=32, height=16, num_frames=17)
    engine.image_to_video(inputs, settings, ignore_progress, NeverCanceled())
    (given,) = recorder.calls
    assert given["image"].tobytes() == cover(load_image(inputs.image), 32, 16).tobytes()


@pytest.mark.parametrize(
    ("model", "scheduler"),
    [(SMALL, "CogVideoXDDIMScheduler"), (FIRST, "CogVideoXDPMScheduler")],
)
def test_the_scheduler_is_the_one_that_the_authors_recommend(
    runtime: Runtime, studio: Materials, model: str, scheduler: str
) -> None:
    """DDIM for the small one and DPM for the large ones, from pure noise on."""
    make(runtime, studio, model, TEXT, num_frames=9)
    used = engine_of(runtime, model, TEXT)._pipeline.scheduler
    assert type(used).__name__ == scheduler
    assert used.timesteps.tolist() == [999, 499]


def test_dynamic_guidance_is_another_video(runtime: Runtime, studio: Materials) -> None:
    """The setting reaches the pipeline."""
    flat = make(runtime, studio, FIRST, TEXT, num_frames=9, use_dynamic_cfg=False)
    dynamic = make(runtime, studio, FIRST, TEXT, num_frames=9, use_dynamic_cfg=True)
    assert flat.frames.tobytes() != dynamic.frames.tobytes()


@pytest.mark.parametrize("model", [FIRST, SECOND_PICTURE])
def test_all_components_have_one_type(options: LocalOptions, studio: Materials, model: str) -> None:
    """In bf16, as on a GPU, it runs; with the VAE in fp32, as other families want it, it cannot."""
    card = find_model(model)
    (feature,) = card.features
    kind: Any = find_engine(card.engine)
    weights = find_weights(card, options, pipeline=kind.pipeline, progress=ignore_progress)
    inputs = studio.request(model, feature).inputs
    settings = settings_of(model, feature, num_frames=17, num_inference_steps=1, **SMALLEST)

    def run(fp32: tuple[str, ...]) -> Any:
        pipeline = load_pipeline(
            weights,
            pipeline=kind.pipeline,
            fp32=fp32,
            dtype=torch.bfloat16,
            device=torch.device("cpu"),
            plan=MemoryPlan.RESIDENT,
        )
        generate = getattr(kind(pipeline, card), feature.value)
        return generate(inputs, settings, ignore_progress, NeverCanceled())

    assert run(kind.fp32).frames.shape == (17, 16, 16, 3)
    with pytest.raises(GenerationError, match="type"):
        run(("vae",))


def test_a_prompt_is_read_as_far_as_the_model_was_trained(
    runtime: Runtime, studio: Materials
) -> None:
    """The card's limit is the length of the text in the transformer's one sequence."""
    engine = engine_of(runtime, FIRST, TEXT)
    assert (
        find_model(FIRST).prompt_tokens == engine._pipeline.transformer.config.max_text_seq_length
    )
    inputs = studio.request(FIRST, TEXT, prompt="a fox " * 60).inputs
    settings = settings_of(FIRST, TEXT, num_frames=9, num_inference_steps=1, **SMALLEST)
    clip = engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
    assert clip.facts["prompt_tokens"] > clip.facts["prompt_tokens_read"] == 226
