"""Wan Animate: skeletons and faces in the right places, segments that nobody notices."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tests.local.materials import CallRecorder, Materials, settings_of
from tests.media import graphs

from tiomagic_domain.catalogue import find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_domain.testing.contracts.features import PoseGuidanceContract, bytes_of
from tiomagic_local.engines.wan_animate import BLACK, WanAnimate, draw_in_frame
from tiomagic_media.decode.frames import contain, load_image, load_video, place_on_black
from tiomagic_media.pose.faces import crop_faces, face_box
from tiomagic_media.pose.models import DETECTOR_FILE, FOLDER_VARIABLE, POSE_FILE
from tiomagic_media.pose.networks import Pose

MODEL, FEATURE = "wan2.2-animate-14b", Feature.POSE_GUIDANCE


class TestPoses(PoseGuidanceContract):
    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, FEATURE).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE)


class TestReplacing(PoseGuidanceContract):
    @pytest.fixture
    def inputs(self, studio: Materials) -> Any:
        return studio.request(MODEL, FEATURE, media=scene(studio)).inputs

    @pytest.fixture
    def settings(self) -> dict[str, Any]:
        return settings_of(MODEL, FEATURE)


def scene(
    studio: Materials, *, white: slice = slice(0, 16), brightness: int = 200
) -> dict[str, Any]:
    """Return the inputs of a replacement: a grey background, its left half replaced by default."""
    background = np.full((5, 32, 32, 3), brightness, np.uint8)
    mask = np.zeros_like(background)
    mask[:, :, white] = 255
    media = {"background_video": studio.film(background), "mask_video": studio.film(mask)}
    return {**studio.media(FEATURE), **media}


def given_to(engine: Any, inputs: Any, **changes: Any) -> dict[str, Any]:
    """Return the arguments that the pipeline gets."""
    recorder = CallRecorder(engine._pipeline)
    settings = settings_of(MODEL, FEATURE, **changes)
    WanAnimate(recorder, find_model(MODEL)).pose_guidance(
        inputs, settings, ignore_progress, NeverCanceled()
    )
    (arguments,) = recorder.calls
    return dict(arguments)


def test_skeletons_alone_have_no_face(engine: Any, studio: Materials) -> None:
    """They are used as they are, the character is whole, and the face is what means none."""
    inputs: Any = studio.request(MODEL, FEATURE).inputs
    given = given_to(engine, inputs, width=48)
    expected = load_video(inputs.pose_video, count=5, size=(48, 32), fps=30, shape=place_on_black)
    assert (np.stack([np.asarray(frame) for frame in given["pose_video"]]) == expected).all()
    character = contain(load_image(inputs.image), 48, 32, BLACK)
    assert (np.asarray(given["image"]) == np.asarray(character)).all()
    faces = np.stack([np.asarray(face) for face in given["face_video"]])
    assert faces.shape == (5, 16, 16, 3)
    assert not faces.any()


def test_a_video_of_somebody_gives_skeletons_and_faces(
    engine: Any, studio: Materials, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Both are found in the same frames; the face is cut out where its points are."""
    graphs.detector(tmp_path / DETECTOR_FILE)
    graphs.estimator(tmp_path / POSE_FILE)
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    # The small networks find a person where it is green, and every joint where it is brightest.
    frames = np.zeros((9, 128, 128, 3), np.uint8)
    frames[:, :64, :64, 1] = 255
    frames[:, 13:19, 29:35] = 255
    media = {"image": studio.picture(), "guiding_video": studio.film(frames)}
    inputs = studio.request(MODEL, FEATURE, media=media).inputs
    given = given_to(engine, inputs)
    assert len(given["pose_video"]) == len(given["face_video"]) == 5
    assert {frame.size for frame in given["pose_video"]} == {(32, 32)}
    assert all(np.asarray(frame).any() for frame in given["pose_video"])
    for face in given["face_video"]:
        # All points lie in the white spot, so the cut is white, whatever its size.
        assert np.asarray(face).min() > 128


def test_the_background_is_black_where_it_is_replaced(engine: Any, studio: Materials) -> None:
    """What the mask covers is taken out of the background, as in the model's training."""
    inputs: Any = studio.request(MODEL, FEATURE, media=scene(studio)).inputs
    given = given_to(engine, inputs)
    assert given["mode"] == "replace"
    assert len(given["background_video"]) == len(given["mask_video"]) == 5
    for kept, mask in zip(given["background_video"], given["mask_video"], strict=True):
        assert mask.mode == "L"
        assert (np.asarray(mask)[:, :15] == 255).all()
        assert (np.asarray(mask)[:, 17:] == 0).all()
        assert not np.asarray(kept)[:, :15].any()
        assert np.abs(np.asarray(kept)[:, 17:].astype(int) - 200).max() < 12


def test_a_scene_is_cut_to_the_video_like_the_skeletons_in_it(
    engine: Any, studio: Materials
) -> None:
    """Of a wide video the middle is taken of all three, so that they lie on each other."""
    frames = np.zeros((5, 32, 96, 3), np.uint8)
    frames[:, :, 32:64] = 255
    wide = studio.film(frames)
    media = dict.fromkeys(("pose_video", "background_video", "mask_video"), wide)
    inputs: Any = studio.request(MODEL, FEATURE, media={"image": studio.picture(), **media}).inputs
    given = given_to(engine, inputs, pose_colours="as_given")
    for skeleton, mask in zip(given["pose_video"], given["mask_video"], strict=True):
        assert np.asarray(skeleton)[:, 2:30].min() > 200
        assert np.asarray(mask)[:, 2:30].min() == 255


def test_one_picture_is_the_mask_of_all_frames(engine: Any, studio: Materials) -> None:
    """A mask of one frame stays."""
    media = scene(studio)
    still = np.zeros((1, 32, 32, 3), np.uint8)
    still[:, 8:] = 255
    inputs: Any = studio.request(
        MODEL, FEATURE, media={**media, "mask_video": studio.film(still)}
    ).inputs
    masks = np.stack([np.asarray(mask) for mask in given_to(engine, inputs)["mask_video"]])
    assert masks.shape == (5, 32, 32)
    assert (masks[:, 9:] == 255).all()
    assert (masks[:, :7] == 0).all()


def test_a_mask_that_replaces_nothing_is_refused(engine: Any, studio: Materials) -> None:
    """It would cost a whole run and give the background."""
    inputs: Any = studio.request(MODEL, FEATURE, media=scene(studio, white=slice(0, 0))).inputs
    with pytest.raises(GenerationError) as caught:
        given_to(engine, inputs)
    assert caught.value.code == ErrorCode.EMPTY_MASK


def test_background_and_mask_change_the_video(engine: Any, studio: Materials) -> None:
    """Both reach the model, in every segment."""

    def make(media: dict[str, Any]) -> bytes:
        inputs: Any = studio.request(MODEL, FEATURE, media=media).inputs
        settings = settings_of(MODEL, FEATURE)
        clip = engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
        return bytes_of(clip).tobytes()

    plain = studio.media(FEATURE)
    videos = [
        make(plain),
        *(make(scene(studio, **changes) | plain) for changes in ({}, {"brightness": 90})),
        make(scene(studio, white=slice(0, 32)) | plain),
    ]
    assert len(set(videos)) == 4


def test_the_face_changes_the_video(engine: Any, studio: Materials) -> None:
    """The face reaches the model: another one makes another video."""
    inputs: Any = studio.request(MODEL, FEATURE).inputs
    arguments = given_to(engine, inputs)
    arguments |= {"generator": arguments["generator"].manual_seed(1)}
    del arguments["callback_on_step_end"]
    plain = engine._pipeline(**arguments).frames
    arguments["generator"].manual_seed(1)
    arguments["face_video"] = [Image.new("RGB", (16, 16), "orange")] * 5
    assert (engine._pipeline(**arguments).frames != plain).any()


@pytest.mark.parametrize(("frames", "segments"), [(77, 1), (81, 2), (153, 2)])
def test_every_length_comes_out_as_asked(
    engine: Any, studio: Materials, frames: int, segments: int
) -> None:
    """Also where it ends within a segment; steps are counted over all of them."""
    told: list[Progress] = []
    inputs: Any = studio.request(MODEL, FEATURE).inputs
    settings = settings_of(MODEL, FEATURE, num_frames=frames, width=16, height=16)
    clip = engine.pose_guidance(inputs, settings, told.append, NeverCanceled())
    assert clip.frames.shape == (frames, 16, 16, 3)
    steps = [moment.step for moment in told if moment.phase is Phase.DENOISING]
    assert steps == list(range(2 * segments + 1))
    assert {m.steps for m in told if m.phase is Phase.DENOISING} == {2 * segments}


def test_guidance_is_for_the_prompt_and_the_face(engine: Any, studio: Materials) -> None:
    """At 1, the default, there is none; above, the negative prompt acts."""
    inputs: Any = studio.request(MODEL, FEATURE).inputs

    def make(**changes: Any) -> bytes:
        settings = settings_of(MODEL, FEATURE, **changes)
        clip = engine.pose_guidance(inputs, settings, ignore_progress, NeverCanceled())
        return bytes_of(clip).tobytes()

    assert make() == make(negative_prompt="blur")
    assert make() != make(guidance_scale=5.0)


class TestFaces:
    def pose(self, *, seen: int = 68, left: float = 10, top: float = 10, side: float = 20) -> Pose:
        """Return a pose whose face fills a square, of which so many points are seen."""
        points = np.zeros((133, 2), np.float32)
        points[23:91] = (left + side / 2, top + side / 2)
        points[23], points[24] = (left, top), (left + side, top + side)
        scores = np.zeros(133, np.float32)
        scores[23 : 23 + seen] = 1
        return Pose(points=points, scores=scores)

    def test_the_cut_has_a_third_more_area_and_a_forehead(self) -> None:
        """get_face_bboxes with scale 1.3: each side times its root, 3/4 of the height above."""
        tall = self.pose(left=100, top=100, side=40)
        tall.points[24] = (140, 180)
        tall.points[25:91] = (120, 140)
        grown = math.sqrt(1.3)
        aside, added = 40 * (grown - 1) / 2, 80 * (grown - 1)
        expected = (100 - aside, 100 - 0.75 * added, 140 + aside, 180 + 0.25 * added)
        assert face_box(tall, 400, 400) == tuple(int(side) for side in expected)

    def test_the_cut_ends_with_the_frame_and_is_stretched(self) -> None:
        """What lies outside is not made up: the rest fills the picture."""
        frame = np.full((1, 64, 64, 3), 255, np.uint8)
        pose = self.pose(left=-10, top=20)
        box = face_box(pose, 64, 64)
        assert box is not None
        assert box[0] == 0
        (face,) = crop_faces(frame, [pose], 26)
        assert face.size == (26, 26)
        assert np.asarray(face).min() == 255

    def test_a_face_outside_of_the_frame_is_none(self) -> None:
        """Points that the estimator puts beyond the edge give no cut."""
        assert face_box(self.pose(left=-50, top=20), 64, 64) is None

    def test_no_face_is_black(self) -> None:
        """Nobody there, and a head from behind, both give what the model takes for no face."""
        frames = np.full((2, 64, 64, 3), 255, np.uint8)
        faces = crop_faces(frames, [None, self.pose(seen=5)], 16)
        assert not any(np.asarray(face).any() for face in faces)


def test_the_motion_is_followed_in_real_time_and_whole(engine: Any, studio: Materials) -> None:
    """A frame of 8 a second is seen for four of 30, and a wide one is padded, not cropped."""
    frames = np.zeros((5, 32, 64, 3), np.uint8)
    for index in range(5):
        # The ends of the wide frame, which a crop would cut off.
        frames[index, :, :8] = frames[index, :, -8:] = 50 * (index + 1)
    media = {"image": studio.picture(), "pose_video": studio.film(frames)}
    inputs: Any = studio.request(MODEL, FEATURE, media=media).inputs
    given = given_to(engine, inputs, num_frames=13)
    seen = [int(np.asarray(frame)[16, 2].mean()) for frame in given["pose_video"]]
    # Moments of 1/30 s in frames of 1/8 s: 0 to 3 show the first one, 4 to 7 the second.
    expected = [50 * (1 + int(moment * 8 / 30)) for moment in range(13)]
    assert np.abs(np.array(seen) - expected).max() < 25
    for frame in given["pose_video"]:
        pixels = np.asarray(frame)
        assert pixels[:6].max() < 25
        assert pixels[-6:].max() < 25
        assert pixels[16, -3].mean() > 25
    spread = given_to(engine, inputs, num_frames=13, pose_pace="fit")
    last = np.asarray(spread["pose_video"][-1])[16, 2].mean()
    assert last == pytest.approx(250, abs=10)


@pytest.mark.parametrize(
    ("width", "height", "size", "scale", "corner"),
    [(200, 100, (100, 100), 0.5, (0, 25)), (100, 200, (100, 100), 0.5, (25, 0))],
)
def test_a_skeleton_moves_with_its_frame(
    width: int, height: int, size: tuple[int, int], scale: float, corner: tuple[int, int]
) -> None:
    """Found in a frame of another shape, it stands where the padded frame has the person."""
    points, scores = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
    points[[5, 6]], scores[[5, 6]] = ((80, 40), (40, 40)), 1
    drawn = np.asarray(draw_in_frame(Pose(points, scores), width, height, size))
    rows, columns = np.nonzero(drawn.any(axis=-1))
    expected = (60 * scale + corner[0], 40 * scale + corner[1])
    assert columns.mean() == pytest.approx(expected[0], abs=1)
    assert rows.mean() == pytest.approx(expected[1], abs=1)
