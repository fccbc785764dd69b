"""The order of a skeleton's colours: found by which limbs meet, whatever the person does."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from tiomagic_domain.catalogue.skeleton_colours import COLOURS_AS_GIVEN, DETECT_COLOURS, ColourOrder
from tiomagic_domain.media import Media
from tiomagic_media.pose.animate_drawing import draw_animate_skeleton
from tiomagic_media.pose.colour_order import (
    colours_warning,
    order_of,
    order_of_frames,
    reorder_colours,
)
from tiomagic_media.pose.networks import Pose
from tiomagic_media.pose.openpose_drawing import draw_skeleton

RGB, BGR = ColourOrder.RGB, ColourOrder.BGR

STANDING = {
    0: (0.50, 0.14), 1: (0.52, 0.12), 2: (0.48, 0.12), 3: (0.55, 0.13), 4: (0.45, 0.13),
    5: (0.60, 0.25), 6: (0.40, 0.25), 7: (0.68, 0.38), 8: (0.30, 0.36), 9: (0.72, 0.50),
    10: (0.24, 0.22), 11: (0.56, 0.52), 12: (0.44, 0.52), 13: (0.60, 0.70), 14: (0.42, 0.72),
    15: (0.62, 0.90), 16: (0.40, 0.92), 17: (0.66, 0.94), 18: (0.68, 0.93), 20: (0.36, 0.95),
    21: (0.34, 0.94),
}  # fmt: skip
"""Points of COCO-WholeBody, as parts of the frame."""
UPPER = {index: place for index, place in STANDING.items() if index <= 10}
FROM_BEHIND = {index: place for index, place in STANDING.items() if index >= 5}
POSES = {
    "standing": STANDING,
    "upper body": UPPER,
    "from behind": FROM_BEHIND,
    "head down": {index: (x, 1 - y) for index, (x, y) in STANDING.items()},
    "lying": {index: (y, x) for index, (x, y) in STANDING.items()},
    "small": {index: (0.3 + 0.4 * x, 0.3 + 0.4 * y) for index, (x, y) in STANDING.items()},
}


def pose_in(places: dict[int, tuple[float, float]], width: int, height: int) -> Pose:
    """Return a pose with some points, all of them sure, in the pixels of a frame."""
    points, scores = np.zeros((133, 2), np.float32), np.zeros(133, np.float32)
    for index, (x, y) in places.items():
        points[index], scores[index] = (x * width, y * height), 0.9
    return Pose(points, scores)


@pytest.mark.parametrize("name", POSES)
@pytest.mark.parametrize(("width", "height"), [(832, 480), (480, 832), (128, 128)])
def test_the_order_is_seen_whatever_the_person_does(name: str, width: int, height: int) -> None:
    """On their feet, on their head, half out of the frame: no place in the frame is relied on."""
    pose = pose_in(POSES[name], width, height)
    for order in ColourOrder:
        frame = draw_skeleton(pose, width, height, hands=False, face=True, order=order)
        assert order_of_frames(frame[np.newaxis]) is order
    drawn = draw_animate_skeleton(pose, width, height)
    assert order_of_frames(drawn[np.newaxis]) is RGB
    assert order_of_frames(drawn[np.newaxis, ..., ::-1]) is BGR


@pytest.mark.parametrize(
    "frame",
    [
        np.zeros((64, 64, 3), np.uint8),
        np.full((64, 64, 3), 200, np.uint8),
        np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8),
    ],
    ids=["black", "grey", "noise"],
)
def test_what_is_no_skeleton_says_nothing(frame: np.ndarray) -> None:
    """No order is made up for frames without skeletons."""
    assert order_of_frames(frame[np.newaxis]) is None


def test_an_arm_alone_says_nothing() -> None:
    """Three limbs meet in both orders: the warning would be a guess."""
    arm = {5: (0.7, 0.3), 6: (0.4, 0.3), 8: (0.4, 0.7)}
    frame = draw_skeleton(pose_in(arm, 256, 256), 256, 256, hands=False, face=False)
    assert order_of_frames(frame[np.newaxis]) is None


def film_of(film: Callable[..., Media], order: ColourOrder, size: int = 256) -> Media:
    """Return a compressed video of a skeleton that sways."""
    frames = []
    for index in range(6):
        moved = {k: (x + 0.01 * index, y) for k, (x, y) in STANDING.items()}
        pose = pose_in(moved, size, size)
        frames.append(draw_skeleton(pose, size, size, hands=False, face=True, order=order))
    return film(np.stack(frames))


@pytest.mark.parametrize("order", ColourOrder)
def test_a_compressed_video_is_seen_too(studio, order: ColourOrder) -> None:
    """Chroma at half the size smears thin lines; the order is still the right one."""
    media = film_of(studio.film, order)
    assert order_of(media) is order
    said = colours_warning(media, COLOURS_AS_GIVEN, order.other)
    assert said is not None
    assert "pose_colours='auto'" in said
    assert order.upper() in said
    assert colours_warning(media, COLOURS_AS_GIVEN, order) is None
    assert colours_warning(media, DETECT_COLOURS, order.other) is None


def test_turning_round_exchanges_red_and_blue() -> None:
    """Once is the other order, and what is unknown or right already stays."""
    frames = np.zeros((1, 2, 2, 3), np.uint8)
    frames[..., :] = (1, 2, 3)
    assert reorder_colours(frames, RGB, BGR)[0, 0, 0].tolist() == [3, 2, 1]
    assert reorder_colours(frames, BGR, RGB)[0, 0, 0].tolist() == [3, 2, 1]
    for has in (RGB, None):
        assert reorder_colours(frames, has, RGB) is frames
