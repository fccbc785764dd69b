"""LTX-2.3: its own schedule and guidance, eight set levels when distilled, sound at 48 kHz."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from tests.local.materials import CallRecorder, Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_local.weights.hub_files import list_wanted

BASE, DISTILLED = "ltx-2.3", "ltx-2.3-distilled"
TEXT, BETWEEN = Feature.TEXT_TO_VIDEO, Feature.INTERPOLATE
SMALLEST = {"width": 64, "height": 64, "num_frames": 9}
AUTHORS_SIGMAS = [1.0, 0.99375, 0.9875, 0.98125, 0.975, 0.909375, 0.725, 0.421875]
"""DISTILLED_SIGMA_VALUES of ltx_pipelines/utils/constants.py at 400fd31, without the closing 0."""


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """Tiny weights of both."""
    weights = save(tmp_path_factory.mktemp("weights"), [BASE, DISTILLED])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


@pytest.fixture(scope="module")
def distilled(runtime: Runtime) -> Any:
    """The engine of the distilled weights."""
    return engine_of(runtime, DISTILLED, TEXT)


def make(
    engine: Any,
    model: str,
    feature: Feature,
    studio: Materials,
    monkeypatch: pytest.MonkeyPatch,
    **changes: Any,
) -> tuple[Any, dict[str, Any]]:
    """Return a clip of the smallest size, and what the pipeline was called with."""
    recorder = CallRecorder(engine._pipeline)
    settings = settings_of(model, feature, **{**SMALLEST, **changes})
    inputs = studio.request(model, feature).inputs
    with monkeypatch.context() as patch:
        patch.setattr(engine, "_pipeline", recorder)
        clip = engine.generate(inputs, settings, ignore_progress, NeverCanceled())
    return clip, recorder.calls[-1]


def test_the_base_model_is_run_as_2_3(
    runtime: Runtime, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Thirty steps, guided by block 28, with the time of the other modality."""
    engine = engine_of(runtime, BASE, TEXT)
    # The tiny transformer has one block.
    monkeypatch.setattr(engine, "_card", find_model(BASE))
    clip, given = make(engine, BASE, TEXT, studio, monkeypatch, num_inference_steps=2, stg_scale=0)
    assert given["use_cross_timestep"] is True
    assert given["spatio_temporal_guidance_blocks"] == [28]
    assert find_model(BASE).schema(TEXT)["num_inference_steps"].default == 30
    assert clip.audio_rate == 48_000
    assert clip.audio.shape[0] == pytest.approx(9 / 24 * 48_000, abs=0.1 * 48_000)


def test_the_distilled_levels_are_the_authors(
    distilled: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a whole call leaves in the scheduler is their list, and then no noise."""
    _, given = make(distilled, DISTILLED, TEXT, studio, monkeypatch, num_inference_steps=8)
    assert given["sigmas"] == AUTHORS_SIGMAS
    used = distilled._pipeline.scheduler.sigmas.tolist()
    assert used == pytest.approx([*AUTHORS_SIGMAS, 0.0], abs=1e-6)


def test_fewer_steps_are_picked_from_them(
    distilled: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first level is the pure noise that the video is made from."""
    _, given = make(distilled, DISTILLED, TEXT, studio, monkeypatch, num_inference_steps=4)
    assert len(given["sigmas"]) == 4
    assert given["sigmas"][0] == 1.0
    assert set(given["sigmas"]) < set(AUTHORS_SIGMAS)


def test_a_distilled_step_is_one_pass(
    distilled: Any, studio: Materials, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without any guidance, and between two pictures too."""
    passes: list[int] = []
    transformer = distilled._pipeline.transformer
    handle = transformer.register_forward_pre_hook(lambda *_call: passes.append(1))
    try:
        for feature in (TEXT, BETWEEN):
            make(distilled, DISTILLED, feature, studio, monkeypatch, num_inference_steps=3)
    finally:
        handle.remove()
    assert len(passes) == 6


def test_what_it_does_without_is_neither_fetched_nor_loaded(tmp_path: Path) -> None:
    """The index of 2.3 names a processor of pictures, which needs a library that is not there."""
    card = find_model(BASE)
    (own,) = list_wanted(card)
    assert "processor/*" in own.without
    weights = save(tmp_path, [BASE])
    index = weights / BASE / "model_index.json"
    named = {**json.loads(index.read_text()), "processor": ["transformers", "Gemma3Processor"]}
    index.write_text(json.dumps(named))
    engine = engine_of(Runtime(LocalOptions(weights_dir=weights, device="cpu")), BASE, TEXT)
    assert engine._placed.processor is None


@pytest.mark.parametrize("name", ["guidance_scale", "negative_prompt", "stg_scale"])
def test_the_distilled_model_takes_no_guidance(name: str) -> None:
    """It would have no effect, so it is refused."""
    with pytest.raises(ValidationError) as caught:
        find_model(DISTILLED).schema(TEXT).validate({"prompt": "a fox", name: 3.0})
    assert [problem.field for problem in caught.value.problems] == [name]
