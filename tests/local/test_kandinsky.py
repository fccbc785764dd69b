"""Kandinsky 5.0: its reader without pictures, guidance, its schedule, and Pro's first frame."""

from __future__ import annotations

from typing import Any

import pytest
from tests.local.materials import Materials, engine_of, settings_of
from tests.tiny import save

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_domain.testing.contracts.features import (
    ImageToVideoContract,
    TextToVideoContract,
    bytes_of,
)
from tiomagic_local.options import LocalOptions
from tiomagic_local.runtime.pipeline_cache import Runtime

MODEL, FEATURE = "kandinsky5-lite", Feature.TEXT_TO_VIDEO
PRO, PICTURE = "kandinsky5-pro-image-to-video", Feature.IMAGE_TO_VIDEO


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Runtime:
    """A runtime with the tiny models."""
    weights = save(tmp_path_factory.mktemp("weights"), [MODEL, PRO])
    return Runtime(LocalOptions(weights_dir=weights, device="cpu"))


class TestWords(TextToVideoContract):
    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, MODEL, FEATURE)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE)


class TestPicture(ImageToVideoContract):
    @pytest.fixture
    def engine(self, runtime: Runtime) -> Any:
        return engine_of(runtime, PRO, PICTURE)

    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(PRO, PICTURE).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(PRO, PICTURE, num_frames=17)


@pytest.fixture
def make(runtime: Runtime, studio: Materials) -> Any:
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


@pytest.mark.parametrize(("steps", "shift"), [(50, 5.0), (10, 5.0), (4, 3.0)])
def test_the_schedule_is_the_authors(runtime: Runtime, steps: int, shift: float) -> None:
    """Even from all noise to none and then shifted: kandinsky/generation_utils.py at 6e2a805."""
    scheduler = engine_of(runtime, MODEL, FEATURE)._scheduler({"flow_shift": shift})
    scheduler.set_timesteps(steps, device="cpu")
    even = [1 - step / steps for step in range(steps + 1)]
    expected = [shift * sigma / (1 + (shift - 1) * sigma) for sigma in even]
    assert scheduler.sigmas.tolist() == pytest.approx(expected, abs=1e-6)
    assert scheduler.timesteps.tolist() == pytest.approx([1000 * s for s in expected[:-1]])


@pytest.mark.parametrize(
    ("width", "height", "legal"),
    [
        (512, 512, True),
        (768, 512, True),
        (512, 768, True),
        (768, 768, False),
        (640, 512, False),
        (256, 256, False),
    ],
)
def test_the_authors_three_sizes_and_no_other(width: int, height: int, legal: bool) -> None:
    """RESOLUTIONS of kandinsky/t2v_pipeline.py; others would have another scale of positions."""
    schema = find_model(MODEL).schema(FEATURE)
    call = {"prompt": "a fox", "width": width, "height": height}
    if legal:
        assert schema.validate(call)["width"] == width
        return
    with pytest.raises(ValidationError):
        schema.validate(call)


def test_a_long_prompt_is_read_to_the_limit(make: Any) -> None:
    """What stands beyond the limit of the authors is not read, and what stands before it is."""
    start = "a fox in the snow, " * 14
    assert len(start) > 256
    assert make(start) == make(start + "and a bear")
    assert make(start) != make("a bear, " + start)


def test_the_shortest_video_of_a_picture_has_a_frame_to_level_by() -> None:
    """Of four latent frames and less the pipeline makes values that are no numbers."""
    schema = find_model(PRO).schema(PICTURE)
    call = {"prompt": "a fox", "image": "fox.png"}
    assert schema.validate({**call, "num_frames": 17})["num_frames"] == 17
    with pytest.raises(ValidationError, match="17"):
        schema.validate({**call, "num_frames": 13})
