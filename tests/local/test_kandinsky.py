"""Kandinsky 5.0: its reader without pictures, guidance, and the shift of its schedule."""

from __future__ import annotations

from typing import Any

import pytest
from tests.local.materials import Studio, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import TextToVideoContract, bytes_of
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime import Runtime

MODEL, FEATURE = "kandinsky5-lite", Feature.TEXT_TO_VIDEO


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny model."""
    weights = save(tmp_path_factory.mktemp("weights"), [MODEL])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


class TestWords(TextToVideoContract):
    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, MODEL, FEATURE)

    @pytest.fixture
    def inputs(self, studio: Studio) -> Any:
        return studio.request(MODEL).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE)


@pytest.fixture
def make(runtime: Runtime, studio: Studio) -> Any:
    """Makes a video from words and returns its pixels."""

    def make(prompt: str = "a fox", **changes: Any) -> bytes:
        inputs: Any = studio.request(MODEL, prompt=prompt).inputs
        settings = settings_of(MODEL, FEATURE, **changes)
        engine = engine_of(runtime, MODEL, FEATURE)
        return bytes_of(
            engine.text_to_video(inputs, settings, ignore_progress, NeverCanceled())
        ).tobytes()

    return make


def test_every_setting_reaches_the_video(make: Any) -> None:
    """Words, what is to be left out, guidance and the shift: each makes another video."""
    strong = {"guidance_scale": 7.0}
    videos = [
        make(),
        make("a bear"),
        make(flow_shift=9.0),
        make(**strong),
        make(**strong, negative_prompt="grey"),
    ]
    assert len(set(videos)) == len(videos)


def test_the_reader_counts_as_its_tokenizer_does(runtime: Runtime, make: Any) -> None:
    """Without its half for pictures the processor gives the tokens of the words, and no more."""
    pipeline = engine_of(runtime, MODEL, FEATURE)._pipeline
    words = ["a fox", "a fox in the snow"]
    read = pipeline.tokenizer(
        text=words, images=None, videos=None, padding="longest", return_tensors="pt"
    )
    plain = pipeline.tokenizer.tokenizer(words, padding="longest", return_tensors="pt")
    assert read.keys() == plain.keys()
    assert all((read[name] == plain[name]).all() for name in plain)


def test_a_long_prompt_is_read_to_the_limit(make: Any) -> None:
    """What stands beyond the limit of the authors is not read, and what stands before it is."""
    start = "a fox in the snow, " * 14
    assert len(start) > 256
    assert make(start) == make(start + "and a bear")
    assert make(start) != make("a bear, " + start)
