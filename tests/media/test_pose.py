"""Skeletons: the networks around small graphs, whom they follow, and how it is drawn."""

from __future__ import annotations

import hashlib
import sys
import time

import huggingface_hub
import numpy as np
import pytest
from huggingface_hub import constants as hub_constants
from huggingface_hub.errors import LocalEntryNotFoundError
from tests.media import graphs

from tiomagic_domain.errors import (
    APIError,
    ConfigurationError,
    GenerationCanceledError,
    GenerationError,
    MissingDependencyError,
    ProcessingError,
)
from tiomagic_domain.progress import NeverCanceled, Phase, Progress, ignore_progress
from tiomagic_media.pose import models as pose_models
from tiomagic_media.pose.estimate import PoseModels, _followed, estimate_skeletons, find_pose_models
from tiomagic_media.pose.networks import Detector, Estimator, Pose, overlap
from tiomagic_media.pose.openpose_drawing import COLOURS, LIMBS, draw_skeleton, to_openpose

GREEN, WHITE = (0, 255, 0), (255, 255, 255)


@pytest.fixture(scope="module")
def models(tmp_path_factory) -> PoseModels:
    """Give the two small graphs."""
    folder = tmp_path_factory.mktemp("models")
    return PoseModels(
        detector=graphs.detector(folder / "detector.onnx"),
        pose=graphs.estimator(folder / "pose.onnx"),
    )


def frame_with(*cells: tuple[int, int], side: int = 128, dot: bool = True) -> np.ndarray:
    """Return a black frame whose quarters (column, row) are green, each with a white dot."""
    frame = np.zeros((side, side, 3), dtype=np.uint8)
    half = side // 2
    for column, row in cells:
        frame[row * half : (row + 1) * half, column * half : (column + 1) * half] = GREEN
        if dot:
            y, x = row * half + half // 4, column * half + half // 2
            frame[y - 3 : y + 3, x - 3 : x + 3] = WHITE
    return frame


def run(frames, models, **kwargs) -> np.ndarray:
    """Estimate without looking at progress."""
    return estimate_skeletons(
        np.stack(frames),
        progress=ignore_progress,
        cancel=NeverCanceled(),
        models=models,
        **kwargs,
    )


def middle(skeleton: np.ndarray) -> tuple[float, float]:
    """Return x and y of the middle of what is not black."""
    rows, columns = np.nonzero(skeleton.max(axis=-1))
    return columns.mean(), rows.mean()


def test_a_person_becomes_a_skeleton_in_their_place(models):
    """From pixels through both networks to pixels: all points lie where the white dot is."""
    skeletons = run([frame_with((1, 0))], models)
    assert skeletons.shape == (1, 128, 128, 3)
    assert skeletons.dtype == np.uint8
    x, y = middle(skeletons[0])
    # The first of the lightest columns is the dot's edge.
    assert x == pytest.approx(93, abs=2)
    assert y == pytest.approx(13, abs=2)


@pytest.mark.parametrize("size", [(96, 160), (160, 96), (64, 64), (300, 400)])
def test_frames_of_any_size_are_measured_rightly(models, size):
    """The detector's frame is padded and not stretched; boxes come back in the frame's pixels."""
    height, width = size
    frame = np.zeros((height, width, 3), dtype=np.uint8)
    scale = max(height, width) / 64
    half = int(32 * scale)
    frame[:half, :half] = GREEN
    boxes = Detector(models.detector)(frame)
    assert len(boxes) == 1
    expected = np.clip([0, 0, half, half], 0, [width, height, width, height])
    assert np.abs(boxes[0] - expected).max() < scale


@pytest.mark.parametrize(("colour", "found"), [((0, 255, 255), 1), ((255, 255, 0), 0)])
def test_the_detector_is_given_bgr(models, colour, found):
    """Its graph takes red away from green: cyan stays, yellow goes; RGB would turn it round."""
    frame = np.zeros((64, 64, 3), dtype=np.uint8)
    frame[:32, :32] = colour
    assert len(Detector(models.detector)(frame)) == found


@pytest.mark.parametrize(("colour", "seen"), [((255, 0, 0), True), ((0, 0, 255), False)])
def test_the_estimator_is_given_rgb(models, colour, seen):
    """Its graph looks at the first channel."""
    frame = np.full((64, 64, 3), colour, dtype=np.uint8)
    pose = Estimator(models.pose)(frame, np.array([0, 0, 64, 64], np.float32))
    assert pose.seen.all() == seen


def test_the_estimator_is_given_a_cut_that_is_not_stretched(models):
    """A dot's place is right to a pixel of the input, inside and at the edge of the frame."""
    estimate = Estimator(models.pose)
    frame = np.zeros((200, 300, 3), dtype=np.uint8)
    for x, y, box in ((150, 100, (120, 40, 180, 160)), (10, 10, (0, 0, 60, 40))):
        frame[:] = 0
        frame[y - 3 : y + 3, x - 3 : x + 3] = WHITE
        pose = estimate(frame, np.array(box, dtype=np.float32))
        assert pose.points.shape == (133, 2)
        assert np.abs(pose.points - (x, y)).max() < 4
        assert pose.seen.all()


def test_nothing_in_the_cut_is_nothing_seen(models):
    """Points below the threshold do not count."""
    pose = Estimator(models.pose)(np.zeros((64, 64, 3), np.uint8), np.array([0, 0, 64, 64.0]))
    assert not pose.seen.any()


def test_a_frame_without_anybody_is_black(models):
    """Nothing is carried over from the neighbours."""
    skeletons = run([frame_with((0, 0)), frame_with(), frame_with((0, 0))], models)
    assert [bool(frame.any()) for frame in skeletons] == [True, False, True]


def test_nobody_in_any_frame_is_an_error(models):
    """A landscape is no guide."""
    with pytest.raises(GenerationError, match="no person was found in the 3 frames") as caught:
        run([frame_with()] * 3, models)
    assert caught.value.code == "nobody_found"


def test_the_same_person_is_followed(models):
    """With two people of one size, the one of the frame before is kept, not the other."""
    only = frame_with((1, 1))
    both = frame_with((0, 0), (1, 1))
    skeletons = run([only, both, both], models)
    for skeleton in skeletons:
        assert middle(skeleton)[0] > 64


def test_whom_to_follow():
    """The largest at first and after a gap; else whoever is where the person was."""
    boxes = np.array([[0, 0, 10, 10], [20, 20, 50, 60]], dtype=np.float32)
    assert _followed(boxes, None).tolist() == [20, 20, 50, 60]
    assert _followed(boxes, boxes[0]).tolist() == [0, 0, 10, 10]
    assert _followed(boxes, np.array([60, 60, 70, 70], np.float32)).tolist() == [20, 20, 50, 60]
    assert _followed(boxes[:0], boxes[0]) is None


def test_boxes_of_the_same_person_are_merged(tmp_path):
    """Boxes that overlap by more than 45 % are one person, others are two."""
    frame = np.full((64, 64, 3), GREEN, dtype=np.uint8)
    apart = Detector(graphs.detector(tmp_path / "a.onnx", box_cells=4))(frame)
    merged = Detector(graphs.detector(tmp_path / "b.onnx", box_cells=40))(frame)
    assert (len(apart), len(merged)) == (4, 1)


def test_progress_is_told_and_cancel_is_asked(models):
    """Each frame is told once; a cancel ends it before the next."""
    told: list[Progress] = []

    class AfterTwo:
        def raise_if_canceled(self) -> None:
            if len(told) == 2:
                raise GenerationCanceledError("stopped")

    frames = np.stack([frame_with((0, 0))] * 4)
    with pytest.raises(GenerationCanceledError):
        estimate_skeletons(frames, progress=told.append, cancel=AfterTwo(), models=models)
    assert told == [Progress(phase=Phase.PREPARING, step=n, steps=4) for n in (1, 2)]


@pytest.mark.parametrize("wrong", ["detector", "pose"])
def test_a_network_of_another_kind_is_named(models, wrong, tmp_path):
    """The two files swapped, or an estimator of 17 points: the file is named."""
    given = {"detector": models.detector, "pose": models.pose}
    given[wrong] = (
        models.pose if wrong == "detector" else graphs.estimator(tmp_path / "17.onnx", points=17)
    )
    with pytest.raises(ConfigurationError, match="another kind of network"):
        run([frame_with((0, 0))], PoseModels(**given))


def test_a_file_that_is_no_network_is_named(models, tmp_path):
    """An HTML page that was saved as .onnx."""
    (tmp_path / "page.onnx").write_text("<html>")
    with pytest.raises(ConfigurationError, match=r"page\.onnx cannot be loaded"):
        run([frame_with((0, 0))], PoseModels(detector=tmp_path / "page.onnx", pose=models.pose))


def test_overlap_of_boxes():
    """Shared over covered; touching or empty boxes share nothing."""
    one = np.array([0, 0, 10, 10], np.float32)
    assert overlap(one, one) == 1
    assert overlap(one, np.array([5, 0, 15, 10], np.float32)) == pytest.approx(1 / 3)
    assert overlap(one, np.array([10, 0, 20, 10], np.float32)) == 0
    assert overlap(one * 0, one * 0) == 0


# --- where the networks come from ---------------------------------------------------------------


def test_the_folder_of_the_setting_is_used(monkeypatch, tmp_path):
    """Both files are taken from it, and one that is missing is named."""
    monkeypatch.setenv(pose_models.FOLDER_VARIABLE, str(tmp_path))
    (tmp_path / pose_models.DETECTOR_FILE).touch()
    with pytest.raises(ConfigurationError, match=pose_models.POSE_FILE):
        find_pose_models()
    (tmp_path / pose_models.POSE_FILE).touch()
    assert find_pose_models() == find_pose_models(tmp_path)
    assert find_pose_models().pose == tmp_path / pose_models.POSE_FILE


@pytest.fixture
def no_folder(monkeypatch):
    """Take the setting away."""
    monkeypatch.delenv(pose_models.FOLDER_VARIABLE, raising=False)


def test_what_is_fetched_is_pinned_and_checked(monkeypatch, tmp_path, no_folder):
    """One repository, one commit, two files, and their bytes are compared."""
    asked: list[tuple[str, str, str]] = []

    def download(repository: str, name: str, *, revision: str) -> str:
        asked.append((repository, name, revision))
        (tmp_path / name).write_bytes(name.encode())
        return str(tmp_path / name)

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_given, **_rest: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(ProcessingError, match="not the file that this version knows"):
        find_pose_models()
    names = (pose_models.DETECTOR_FILE, pose_models.POSE_FILE)
    digests = {name: hashlib.sha256(name.encode()).hexdigest() for name in names}
    monkeypatch.setattr(pose_models, "DIGESTS", digests)
    assert find_pose_models().detector == tmp_path / pose_models.DETECTOR_FILE
    assert {(repo, len(rev)) for repo, _, rev in asked} == {("yzd-v/DWPose", 40)}


def test_a_hub_that_is_not_reached_names_the_setting(monkeypatch, no_folder):
    """Without a network there is another way."""

    def download(*args: object, **kwargs: object) -> str:
        raise LocalEntryNotFoundError("offline")

    monkeypatch.setattr(huggingface_hub, "get_hf_file_metadata", lambda *_given, **_rest: None)
    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(APIError, match=pose_models.FOLDER_VARIABLE) as caught:
        find_pose_models()
    assert caught.value.retryable


def test_no_network_is_found_out_in_seconds(monkeypatch, no_folder, tmp_path, capfd):
    """Before the hub's client begins to try for a minute; nothing of it is printed."""
    monkeypatch.setattr(hub_constants, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub_constants, "HF_HUB_OFFLINE", False)
    template = "http://127.0.0.1:9/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(hub_constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(pose_models, "ANSWER_WITHIN_S", 0.2)
    since = time.monotonic()
    with pytest.raises(APIError, match=pose_models.FOLDER_VARIABLE):
        find_pose_models()
    assert time.monotonic() - since < 30
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("module", ["onnxruntime", "huggingface_hub"])
def test_without_the_extra_the_command_is_given(monkeypatch, models, no_folder, module):
    """The error says what to type."""
    # None in sys.modules is Python's own way to make an import fail.
    monkeypatch.setitem(sys.modules, module, None)
    given = models if module == "onnxruntime" else None
    with pytest.raises(MissingDependencyError, match=r"facade\[pose\]") as caught:
        run([frame_with((0, 0))], given)
    assert caught.value.details["module"] == module


# --- drawing ------------------------------------------------------------------------------------


def pose_of(places: dict[int, tuple[float, float]]) -> Pose:
    """Return a pose in which only some of the 133 points are seen."""
    points, scores = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
    for index, place in places.items():
        points[index], scores[index] = place, 0.9
    return Pose(points, scores)


ARM = {6: (512.0, 300.0), 5: (800.0, 300.0), 8: (512.0, 700.0)}
"""COCO's right shoulder, left shoulder, right elbow."""


def test_limbs_and_points_have_openposes_colours():
    """Right upper arm: limb 2 in orange at 60 %; points at full brightness; the rest is black."""
    frame = draw_skeleton(pose_of(ARM), 1024, 1024, hands=True, face=True)
    assert frame[500, 512].tolist() == [int(part * 0.6) for part in COLOURS[2]]
    assert frame[300, 512].tolist() == list(COLOURS[2])
    assert frame[700, 512].tolist() == list(COLOURS[3])
    assert frame[300, 656].tolist() == list(COLOURS[1])
    assert frame[300, 580].tolist() == [int(part * 0.6) for part in COLOURS[0]]
    assert frame[300, 730].tolist() == [int(part * 0.6) for part in COLOURS[1]]
    assert frame[900].max() == 0


def test_the_neck_needs_both_shoulders():
    """Half a neck is none."""
    pose = pose_of({6: (10.0, 10.0), 8: (10.0, 20.0)})
    body, seen = to_openpose(pose.points, pose.seen)
    assert np.nonzero(seen)[0].tolist() == [2, 3]
    assert body[3].tolist() == [10, 20]


def test_left_and_right_are_not_swapped():
    """OpenPose numbers the right side first, COCO the left."""
    pose = pose_of({index: (float(index), 0.0) for index in range(17)})
    body, _ = to_openpose(pose.points, pose.seen)
    expected = [0, 5.5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3]
    assert body[:, 0].tolist() == expected


def test_the_tables_are_whole():
    """18 colours, all different; 17 limbs that join all points into one tree."""
    assert len(set(COLOURS)) == 18
    reached = {1}
    for _ in LIMBS:
        reached |= {point for limb in LIMBS if reached & set(limb) for point in limb}
    assert (len(LIMBS), reached) == (17, set(range(18)))


def test_hands_and_face_are_drawn_when_asked_for():
    """Fingers in a rainbow with blue joints, the face in white dots."""
    hand = {91 + joint: (200.0 + 30 * joint, 500.0) for joint in range(5)}
    pose = pose_of({**hand, 30: (800.0, 800.0)})
    for hands in (False, True):
        for face in (False, True):
            frame = draw_skeleton(pose, 1024, 1024, hands=hands, face=face)
            assert frame[500, 215].any() == hands
            assert (frame[500, 200].tolist() == [0, 0, 255]) == hands
            assert (frame[800, 800].tolist() == [255, 255, 255]) == face
    assert draw_skeleton(pose, 1024, 1024, hands=True, face=False)[500, 215].tolist() == [255, 0, 0]


@pytest.mark.parametrize(("width", "height"), [(832, 480), (480, 832), (64, 64), (1280, 720)])
def test_a_skeleton_keeps_its_place_in_every_size(width, height):
    """Points stay where they are and lines stay visible."""
    places = {6: (0.5 * width, 0.25 * height), 8: (0.5 * width, 0.75 * height)}
    frame = draw_skeleton(pose_of(places), width, height, hands=False, face=False)
    assert frame.shape == (height, width, 3)
    assert frame[height // 2, width // 2 - 1 : width // 2 + 1].max() > 100
    x, y = middle(frame)
    assert x == pytest.approx(width / 2, abs=1.5)
    assert y == pytest.approx(height / 2, abs=0.02 * height + 1)


def test_points_in_one_place_and_outside_do_no_harm():
    """A limb without length, and one that leaves the frame."""
    pose = pose_of({6: (50.0, 50.0), 8: (50.0, 50.0), 10: (-500.0, 5000.0)})
    assert draw_skeleton(pose, 100, 100, hands=True, face=True).any()
