"""LTX-Video: lengths of 8k+1, seconds that the model knows of, and two pictures that both count."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import GenerationError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    InterpolateContract,
    TextToVideoContract,
)
from tiomagic_local.engines import find_engine
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.loader import load_pipeline
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.weights.locate import find_weights
from tiomagic_media.decode.frames import cover, load_image

FIRST, DISTILLED = "ltx-video", "ltx-video-0.9.8-distilled"
TEXT, PICTURE, BETWEEN = Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO, Feature.INTERPOLATE
SMALLEST = {"width": 32, "height": 32, "num_frames": 9}


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> LocalOptions:
    """Tiny weights for both models."""
    weights = save(tmp_path_factory.mktemp("weights"), [FIRST, DISTILLED])
    return LocalOptions(weights_dir=weights, device="cpu")


@pytest.fixture(scope="module")
def runtime(options: LocalOptions) -> Runtime:
    """A runtime over them."""
    return Runtime(options)


class OnTinyWeights:
    """Fixtures of the contracts."""

    model: str
    feature: Feature

    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, self.model, self.feature)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(self.model, self.feature).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(self.model, self.feature, **SMALLEST)


class TestWords(OnTinyWeights, TextToVideoContract):
    model, feature = FIRST, TEXT


class TestPicture(OnTinyWeights, ImageToVideoContract):
    model, feature = FIRST, PICTURE


class TestFirstAndLast(OnTinyWeights, InterpolateContract):
    model, feature = DISTILLED, BETWEEN


def make(
    runtime: Runtime, model: str, feature: Feature, inputs: Any, **changes: Any
) -> tuple[Any, dict[str, Any], Any]:
    """Return a clip of the smallest size, what the pipeline was called with, and its scheduler."""
    card, engine = find_model(model), engine_of(runtime, model, feature)
    recorder = CallRecorder(engine._pipeline)
    settings = settings_of(model, feature, **{**SMALLEST, **changes})
    recorded: Any = find_engine(card.engine)(recorder, card)
    generate = getattr(recorded, feature.value)
    clip = generate(inputs, settings, ignore_progress, NeverCanceled())
    return clip, recorder.calls[-1] if recorder.calls else {}, recorder.scheduler


@pytest.mark.parametrize(("given", "nearest"), [(10, 9), (16, 17), (120, 121), (258, 257)])
@pytest.mark.parametrize("model", [FIRST, DISTILLED])
def test_lengths_that_the_pipeline_would_cut_are_refused(
    model: str, given: int, nearest: int
) -> None:
    """The pipeline makes them shorter without a word; the schema names the nearest that is made."""
    with pytest.raises(ValidationError) as caught:
        find_model(model).schema(TEXT).validate({"prompt": "a", "num_frames": given})
    (problem,) = caught.value.problems
    assert (problem.field, problem.nearest) == ("num_frames", nearest)


def test_a_length_that_was_cut_is_no_success(runtime: Runtime, studio: Materials) -> None:
    """What the pipeline does with 16 frames: an error here, and no shorter video."""
    inputs = studio.request(FIRST).inputs
    with pytest.raises(GenerationError, match=r"\(9, 32, 32, 3\) instead of \(16, 32, 32, 3\)"):
        make(runtime, FIRST, TEXT, inputs, num_frames=16)


def test_a_single_step_is_refused(runtime: Runtime, studio: Materials) -> None:
    """A schedule that ends at a set level of noise has no single step: it would be no number."""
    with pytest.raises(ValidationError, match="between 2 and 100"):
        find_model(FIRST).schema(TEXT).validate({"prompt": "a", "num_inference_steps": 1})
    with pytest.raises(GenerationError):
        make(runtime, FIRST, TEXT, studio.request(FIRST).inputs, num_inference_steps=1)


@pytest.mark.parametrize("model", [FIRST, DISTILLED])
def test_the_model_knows_how_fast_its_frames_play(
    runtime: Runtime, studio: Materials, model: str
) -> None:
    """The rate of the file is the rate in the positions: another rate is another motion."""
    inputs = studio.request(model).inputs
    slow, given, _ = make(runtime, model, TEXT, inputs, fps=8)
    fast, _, _ = make(runtime, model, TEXT, inputs, fps=50)
    assert (slow.fps, fast.fps) == (8, 50)
    assert given["frame_rate"] == 8
    assert slow.frames.tobytes() != fast.frames.tobytes()


def test_a_prompt_is_read_as_far_as_the_model_was_trained(
    runtime: Runtime, studio: Materials
) -> None:
    """The pipeline's own default would cut it at half of that."""
    inputs = studio.request(FIRST, prompt="a fox " * 40).inputs
    clip, given, _ = make(runtime, FIRST, TEXT, inputs)
    assert given["max_sequence_length"] == 256
    assert clip.facts["prompt_tokens"] == clip.facts["prompt_tokens_read"] > 128


def test_both_pictures_are_conditions(runtime: Runtime, studio: Materials) -> None:
    """The first at frame 0, the last at the last frame, in the size of the video."""
    inputs: Any = studio.request(DISTILLED, BETWEEN).inputs
    _, given, _ = make(runtime, DISTILLED, BETWEEN, inputs, num_frames=17, width=64)
    first, last = given["conditions"]
    assert (first.frame_index, last.frame_index) == (0, 16)
    for condition, media in ((first, inputs.first_frame), (last, inputs.last_frame)):
        expected = np.asarray(cover(load_image(media), 64, 32))
        assert (np.asarray(condition.image) == expected).all()
    assert "image" not in given


def test_the_last_frame_decides_how_the_video_ends(runtime: Runtime, studio: Materials) -> None:
    """Another last frame changes the last frame of the video."""
    pictures = {"first_frame": studio.picture(), "last_frame": studio.picture(colour="blue")}
    other = {**pictures, "last_frame": studio.picture(colour="lime")}
    ends = [
        make(runtime, DISTILLED, BETWEEN, studio.request(DISTILLED, BETWEEN, media=media).inputs)[0]
        for media in (pictures, other)
    ]
    assert (ends[0].frames[-1] != ends[1].frames[-1]).any()


# Only the pipeline's own call gives the scheduler a tensor; the engine gives it numbers.
@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_of_two_pictures_in_a_list_the_pipeline_loses_the_second(
    runtime: Runtime, studio: Materials
) -> None:
    """Why the engine gives conditions; when this fails, the pipeline has been mended."""
    pipeline = engine_of(runtime, DISTILLED, BETWEEN)._pipeline
    inputs: Any = studio.request(DISTILLED, BETWEEN).inputs
    pictures = [cover(load_image(m), 32, 32) for m in (inputs.first_frame, inputs.last_frame)]

    def run(images: list[Any]) -> Any:
        return pipeline(
            image=images,
            frame_index=[0, 8][: len(images)],
            prompt="a fox",
            **SMALLEST,
            guidance_scale=1.0,
            num_inference_steps=2,
            generator=torch.Generator("cpu").manual_seed(0),
            output_type="pt",
        ).frames[0]

    assert torch.equal(run(pictures), run(pictures[:1]))


@pytest.mark.parametrize(
    ("steps", "timesteps"),
    # configs/ltxv-13b-0.9.8-distilled.yaml of the authors, first_pass, times 1000.
    [
        (7, [1000, 993.7, 987.5, 981.2, 975, 909.4, 725]),
        (3, [1000, 981.2, 725]),
        (1, [1000]),
    ],
)
def test_the_distilled_steps_are_taken_as_they_are(
    runtime: Runtime, studio: Materials, steps: int, timesteps: list[float]
) -> None:
    """Whatever shift the repository's scheduler has, time and noise go together and end at 0."""
    inputs = studio.request(DISTILLED).inputs
    _, given, used = make(runtime, DISTILLED, TEXT, inputs, num_inference_steps=steps)
    assert used.timesteps.tolist() == pytest.approx(timesteps)
    assert used.sigmas.tolist() == pytest.approx([*(t / 1000 for t in timesteps), 0])
    assert given["guidance_scale"] == 1


def test_a_distilled_model_has_no_settings_without_effect() -> None:
    """Guidance is distilled into it, and what goes against the negative prompt with it."""
    for schema in find_model(DISTILLED).features.values():
        assert "guidance_scale" not in schema
        assert "negative_prompt" not in schema
    assert "image_cond_noise_scale" not in find_model(DISTILLED).schema(TEXT)


def test_the_pictures_have_the_authors_noise(runtime: Runtime, studio: Materials) -> None:
    """0.15, as ltx_video/inference.py of the authors; 0 leaves them still."""
    inputs = studio.request(DISTILLED, PICTURE).inputs
    moved, given, _ = make(runtime, DISTILLED, PICTURE, inputs)
    still, _, _ = make(runtime, DISTILLED, PICTURE, inputs, image_cond_noise_scale=0.0)
    assert given["image_cond_noise_scale"] == 0.15
    assert still.frames.tobytes() != moved.frames.tobytes()


@pytest.mark.parametrize("model", [FIRST, DISTILLED])
def test_all_components_have_one_type(options: LocalOptions, studio: Materials, model: str) -> None:
    """In bf16, as on a GPU, it runs."""
    clip = _run_in_bf16(options, studio, model, find_engine(find_model(model).engine).fp32)
    assert clip.frames.shape == (9, 32, 32, 3)


def test_a_vae_of_another_type_breaks_the_pipeline(
    options: LocalOptions, studio: Materials
) -> None:
    """As other families want it; this one gives it latents of the text encoder's type."""
    with pytest.raises(GenerationError, match="type"):
        _run_in_bf16(options, studio, DISTILLED, ("vae",))


def _run_in_bf16(
    options: LocalOptions, studio: Materials, model: str, fp32: tuple[str, ...]
) -> Any:
    card = find_model(model)
    kind: Any = find_engine(card.engine)
    weights = find_weights(card, options, pipeline=kind.pipeline, progress=ignore_progress)
    pipeline = load_pipeline(
        weights,
        pipeline=kind.pipeline,
        fp32=fp32,
        dtype=torch.bfloat16,
        device=torch.device("cpu"),
        plan=MemoryPlan.RESIDENT,
    )
    inputs = studio.request(model, PICTURE).inputs
    settings = settings_of(model, PICTURE, **SMALLEST)
    return kind(pipeline, card).image_to_video(inputs, settings, ignore_progress, NeverCanceled())
