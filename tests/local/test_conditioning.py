"""What the pipelines are given: pictures at the right places, in the right size, not stretched."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.local.materials import CallRecorder, Materials, disc, settings_of
from tests.media import graphs

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, ignore_progress
from tiomagic_local.engines import find_engine
from tiomagic_local.engines.wan_vace import GREY, place_on_white
from tiomagic_local.runtime.pipeline_cache import Runtime
from tiomagic_media.decode.frames import cover, load_image, load_video
from tiomagic_media.pose.models import DETECTOR_FILE, FOLDER_VARIABLE, POSE_FILE

VACE = "wan2.1-vace-1.3b"
FLF2V = "wan2.1-flf2v-14b-720p"
I2V = "wan2.1-i2v-14b-480p"


def call(runtime: Runtime, model: str, feature: Feature, inputs: Any, **changes: Any) -> Any:
    """Run a model and return the arguments that its pipeline got."""
    card, settings = find_model(model, feature), settings_of(model, feature, **changes)
    with runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
        recorder = CallRecorder(loaded.engine._pipeline)
        engine: Any = find_engine(card.engine)(recorder, card)
        getattr(engine, feature.value)(inputs, settings, ignore_progress, NeverCanceled())
    (arguments,) = recorder.calls
    return arguments


def pixels(image: Any) -> Any:
    return np.asarray(image)


class TestVace:
    def test_words_alone_bind_nothing(self, shared_runtime: Runtime, studio: Materials) -> None:
        """Without a picture there is no video, mask or reference: the model makes everything."""
        inputs = studio.request(VACE).inputs
        given = call(shared_runtime, VACE, Feature.TEXT_TO_VIDEO, inputs)
        assert {"video", "mask", "reference_images", "conditioning_scale"}.isdisjoint(given)

    def test_a_picture_is_the_first_frame(self, shared_runtime: Runtime, studio: Materials) -> None:
        """The picture is kept (black) at frame 0; the rest is grey and to be made (white)."""
        inputs: Any = studio.request(VACE, Feature.IMAGE_TO_VIDEO).inputs
        given = call(shared_runtime, VACE, Feature.IMAGE_TO_VIDEO, inputs, conditioning_scale=0.5)
        assert len(given["video"]) == len(given["mask"]) == 5
        expected = cover(load_image(inputs.image), 32, 32)
        assert (pixels(given["video"][0]) == pixels(expected)).all()
        for frame in given["video"][1:]:
            assert (pixels(frame) == GREY).all()
        assert [set(pixels(m).ravel().tolist()) for m in given["mask"]] == [{0}] + [{255}] * 4
        assert {m.mode for m in given["mask"]} == {"L"}
        assert given["conditioning_scale"] == 0.5

    def test_two_pictures_are_the_ends(self, shared_runtime: Runtime, studio: Materials) -> None:
        """The first and the last frame are kept at their places and nothing else is."""
        inputs: Any = studio.request(VACE, Feature.INTERPOLATE).inputs
        given = call(shared_runtime, VACE, Feature.INTERPOLATE, inputs, num_frames=9)
        first, last = given["video"][0], given["video"][-1]
        assert (pixels(first) == pixels(cover(load_image(inputs.first_frame), 32, 32))).all()
        assert (pixels(last) == pixels(cover(load_image(inputs.last_frame), 32, 32))).all()
        assert all((pixels(frame) == GREY).all() for frame in given["video"][1:-1])
        kept = [not pixels(mask).any() for mask in given["mask"]]
        assert kept == [True] + [False] * 7 + [True]

    def test_skeletons_are_followed_without_a_mask(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """The skeletons are fitted to the length, and the character is the reference."""
        inputs: Any = studio.request(VACE, Feature.POSE_GUIDANCE).inputs
        given = call(shared_runtime, VACE, Feature.POSE_GUIDANCE, inputs, width=48)
        expected = load_video(inputs.pose_video, count=5, size=(48, 32))
        assert (np.stack([pixels(frame) for frame in given["video"]]) == expected).all()
        assert "mask" not in given
        (character,) = given["reference_images"]
        assert (pixels(character) == pixels(place_on_white(load_image(inputs.image), 48, 32))).all()

    def test_a_video_of_somebody_becomes_skeletons(
        self,
        shared_runtime: Runtime,
        studio: Materials,
        tmp_path: Path,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Poses are estimated on large frames and arrive in the size and length of the video."""
        graphs.detector(tmp_path / DETECTOR_FILE)
        graphs.estimator(tmp_path / POSE_FILE)
        monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
        # The small networks find a person where it is green, and every joint where it is brightest.
        frames = np.zeros((9, 128, 128, 3), np.uint8)
        frames[:, :64, :64, 1] = 255
        frames[:, 13:19, 29:35] = 255
        media = {"image": studio.picture(), "guiding_video": studio.film(frames)}
        inputs = studio.request(VACE, Feature.POSE_GUIDANCE, media=media).inputs
        given = call(shared_runtime, VACE, Feature.POSE_GUIDANCE, inputs)
        assert len(given["video"]) == 5
        assert {frame.size for frame in given["video"]} == {(32, 32)}
        for frame in given["video"]:
            # All joints in one place leave a dot that is faint once it is small.
            row, column = np.unravel_index(pixels(frame).max(axis=2).argmax(), (32, 32))
            assert pixels(frame).any()
            assert 2 <= row <= 6
            assert 6 <= column <= 10
        assert "mask" not in given

    def test_the_tensors_are_those_that_were_meant(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """The pipeline works on the size and length that were meant, not on others of its own."""
        seen: dict[str, Any] = {}
        inputs = studio.request(VACE, Feature.INTERPOLATE, media=None).inputs
        settings = settings_of(VACE, Feature.INTERPOLATE, width=48, num_frames=9)
        card = find_model(VACE)
        with shared_runtime.use(card, settings, ignore_progress, NeverCanceled()) as loaded:
            pipeline = loaded.engine._pipeline
            original = pipeline.prepare_video_latents

            def spy(video: Any, mask: Any, *rest: Any) -> Any:
                seen.update(video=video, mask=mask)
                return original(video, mask, *rest)

            pipeline.prepare_video_latents = spy
            try:
                loaded.engine.interpolate(inputs, settings, ignore_progress, NeverCanceled())
            finally:
                del pipeline.prepare_video_latents
        assert tuple(seen["video"].shape) == (1, 3, 9, 32, 48)
        assert tuple(seen["mask"].shape) == (1, 1, 9, 32, 48)
        a_frame = seen["mask"][0, 0, :, 0, 0].tolist()
        assert a_frame == [0, 1, 1, 1, 1, 1, 1, 1, 0]
        assert (seen["mask"] == seen["mask"][:, :1, :, :1, :1]).all()
        grey = 128 / 255 * 2 - 1
        assert float((seen["video"][0, :, 1:-1] - grey).abs().max()) < 1e-6


class TestPicturePipelines:
    def test_the_picture_comes_in_the_size_of_the_video(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """The pipeline would stretch a picture of another size, so it never gets one."""
        inputs: Any = studio.request(I2V, Feature.IMAGE_TO_VIDEO).inputs
        given = call(shared_runtime, I2V, Feature.IMAGE_TO_VIDEO, inputs, width=64)
        expected = cover(load_image(inputs.image), 64, 32)
        assert (pixels(given["image"]) == pixels(expected)).all()
        assert "last_image" not in given

    def test_first_and_last_are_not_mixed_up(
        self, shared_runtime: Runtime, studio: Materials
    ) -> None:
        """``image`` is the first frame and ``last_image`` the last one."""
        inputs: Any = studio.request(FLF2V, Feature.INTERPOLATE).inputs
        given = call(shared_runtime, FLF2V, Feature.INTERPOLATE, inputs)
        first = cover(load_image(inputs.first_frame), 32, 32)
        last = cover(load_image(inputs.last_frame), 32, 32)
        assert (pixels(given["image"]) == pixels(first)).all()
        assert (pixels(given["last_image"]) == pixels(last)).all()


@pytest.mark.parametrize("size", [(200, 60), (60, 200), (96, 96)])
@pytest.mark.parametrize("model", [VACE, I2V])
def test_a_disc_stays_a_disc(
    shared_runtime: Runtime, studio: Materials, size: tuple[int, int], model: str
) -> None:
    """A picture of any aspect is scaled evenly: its disc is as wide as it is high."""
    picture = studio.keep(disc(size, "black"))
    inputs = studio.request(model, Feature.IMAGE_TO_VIDEO, media={"image": picture}).inputs
    given = call(shared_runtime, model, Feature.IMAGE_TO_VIDEO, inputs)
    frame = given["video"][0] if "video" in given else given["image"]
    dark = pixels(frame)[..., 0] < 128
    assert frame.size == (32, 32)
    assert abs(int(dark.any(axis=0).sum()) - int(dark.any(axis=1).sum())) <= 2


def test_a_character_is_whole_on_white() -> None:
    """The reference is not cropped: what is left over of the canvas is white."""
    fitted = pixels(place_on_white(disc((40, 80), "red", ground="black"), 64, 32))
    columns = (fitted != 255).any(axis=(0, 2))
    assert columns.nonzero()[0].tolist() == list(range(24, 40))
    assert (fitted[:, :24] == 255).all()
    red = (fitted[..., 0] > 128) & (fitted[..., 1] < 128)
    assert abs(int(red.any(axis=0).sum()) - int(red.any(axis=1).sum())) <= 2


def test_a_picture_of_the_right_size_is_not_touched() -> None:
    """A reference that fits already arrives pixel for pixel."""
    image = Image.fromarray(np.arange(32 * 16 * 3, dtype=np.uint8).reshape(16, 32, 3))
    assert (pixels(place_on_white(image, 32, 16)) == pixels(image)).all()
