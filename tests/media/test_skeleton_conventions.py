"""One pose as VACE's and as Animate's own annotator would draw it, computed from their lists.

The lists are the published ones: limbs and colours of ali-vilab/VACE
(vace/annotators/dwpose/util.py and pose.py, 48eb44f) and of Wan-Video/Wan2.2
(wan/modules/animate/preprocess/human_visualization.py and utils.py, 42bf4cf). A pixel belongs to a
limb when it lies within the ellipse over it, and to a dot when it lies within its radius; ours may
differ by a pixel's width.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.media.test_pose_colours import STANDING, pose_in

from tiomagic_domain.catalogue import models
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature
from tiomagic_media.pose.animate_drawing import draw_animate_skeleton
from tiomagic_media.pose.networks import Pose
from tiomagic_media.pose.openpose_drawing import draw_skeleton

Mask = NDArray[np.bool_]
Colour = tuple[int, int, int]

# Points are counted from 1 here, as the authors write them.
LIMBS = (
    (2, 3), (2, 6), (3, 4), (4, 5), (6, 7), (7, 8), (2, 9), (9, 10), (10, 11), (2, 12), (12, 13),
    (13, 14), (2, 1), (1, 15), (15, 17), (1, 16), (16, 18),
)  # fmt: skip
FEET = ((14, 19), (11, 20))
COLOURS: tuple[Colour, ...] = (
    (255, 0, 0), (255, 85, 0), (255, 170, 0), (255, 255, 0), (170, 255, 0), (85, 255, 0),
    (0, 255, 0), (0, 255, 85), (0, 255, 170), (0, 255, 255), (0, 170, 255), (0, 85, 255),
    (0, 0, 255), (85, 0, 255), (170, 0, 255), (255, 0, 255), (255, 0, 170), (255, 0, 85),
)  # fmt: skip
FEET_COLOURS: tuple[Colour, ...] = ((200, 200, 0), (100, 100, 0))
BODY = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Which point of COCO each is; the second one is the neck."""
TOES = ((17, 18), (20, 21))


def body_of(pose: Pose, *, feet: bool) -> list[tuple[float, float]]:
    """Return the points of the body, and of the feet, as both annotators place them."""
    found = []
    for index in BODY:
        place = pose.points[[5, 6]].mean(axis=0) if index is None else pose.points[index]
        found.append((float(place[0]), float(place[1])))
    for toes in TOES if feet else ():
        place = pose.points[list(toes)].mean(axis=0)
        found.append((float(place[0]), float(place[1])))
    return found


def ellipse(
    size: tuple[int, int], one: tuple[float, float], other: tuple[float, float], half: float
) -> Mask:
    """Return the pixels of the ellipse that ends in two points and is so wide to each side.

    Its middle, length and turn are whole pixels and degrees, as the authors' calls have them.
    """
    rows, columns = np.mgrid[: size[1], : size[0]]
    middle = (int((one[0] + other[0]) / 2), int((one[1] + other[1]) / 2))
    turn = math.radians(int(math.degrees(math.atan2(one[1] - other[1], one[0] - other[0]))))
    x, y = columns - middle[0], rows - middle[1]
    along = x * math.cos(turn) + y * math.sin(turn)
    aside = -x * math.sin(turn) + y * math.cos(turn)
    long = int(math.dist(one, other) / 2)
    # A pixel is a square, half a pixel to each side of its middle.
    inside: Mask = (along / (long + 0.5)) ** 2 + (aside / (half + 0.5)) ** 2 <= 1
    return inside


def disc(size: tuple[int, int], at: tuple[float, float], radius: float) -> Mask:
    """Return the pixels of a dot."""
    rows, columns = np.mgrid[: size[1], : size[0]]
    inside: Mask = (columns - at[0]) ** 2 + (rows - at[1]) ** 2 <= (radius + 0.5) ** 2
    return inside


def reference(
    pose: Pose, size: tuple[int, int], *, half: float, radius: float, feet: bool
) -> NDArray[np.uint8]:
    """Return the body as the lists say: limbs at 60 %, dots over them."""
    frame = np.zeros((size[1], size[0], 3), np.uint8)
    points = body_of(pose, feet=feet)
    limbs = (*LIMBS, *FEET) if feet else LIMBS
    colours = (*COLOURS, *FEET_COLOURS) if feet else COLOURS
    for (one, other), colour in zip(limbs, colours, strict=False):
        dimmed = [int(part * 0.6) for part in colour]
        frame[ellipse(size, points[one - 1], points[other - 1], half)] = dimmed
    for point, colour in zip(points, colours, strict=True):
        frame[disc(size, (int(point[0]), int(point[1])), radius)] = colour
    return frame


def grown(mask: Mask, by: int) -> Mask:
    """Return a mask that is so many pixels wider to every side."""
    result = mask.copy()
    # First down and up, then to the sides: a square is the one of the other.
    for axis in (0, 1):
        lines = np.moveaxis(result, axis, 0)
        before = lines.copy()
        for step in range(1, by + 1):
            lines[step:] |= before[:-step]
            lines[:-step] |= before[step:]
    return result


def assert_alike(drawn: NDArray[np.uint8], expected: NDArray[np.uint8], width: int = 1) -> None:
    """Every colour covers the same pixels, to a pixel's width; a corner may be rounded otherwise.

    Args:
        drawn: Ours.
        expected: What the lists say.
        width: Pixels of these frames in a pixel of the video.
    """
    ours_of, theirs_of = numbers_of(drawn), numbers_of(expected)
    for colour in np.union1d(ours_of, theirs_of):
        ours, theirs = ours_of == colour, theirs_of == colour
        assert ours.any(), hex(colour)
        assert theirs.any(), hex(colour)
        corners = max(4, ours.sum() / 200) if width == 1 else 0
        assert (ours & ~grown(theirs, width)).sum() <= corners, hex(colour)
        assert (theirs & ~grown(ours, width)).sum() <= corners, hex(colour)


def numbers_of(frame: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return each pixel's colour as one number, 0xrrggbb."""
    red, green, blue = np.moveaxis(frame.astype(np.int64), -1, 0)
    return (red << 16) + (green << 8) + blue


def test_vace_gets_the_authors_drawing_with_the_channels_turned_round() -> None:
    """At 1024 pixels, where nothing is scaled: sticks of 4 to each side, dots of 4, then BGR."""
    size = (1024, 1024)
    pose = pose_in(STANDING, *size)
    drawn = draw_skeleton(pose, *size, hands=False, face=False, order=ColourOrder.BGR)
    expected = reference(pose, size, half=4, radius=4, feet=False)[..., ::-1]
    # The canvas has more than two pixels for one of a 480p video.
    assert_alike(drawn, expected, width=2)
    # The picture of the authors' README: the shoulder is blue, and the neck is red up to the nose.
    neck, shoulder, nose = (body_of(pose, feet=False)[index] for index in (1, 2, 0))
    x, y = ((one + other) / 2 for one, other in zip(neck, shoulder, strict=True))
    assert drawn[int(y), int(x)].tolist() == [0, 0, 153]
    x, y = ((one + other) / 2 for one, other in zip(neck, nose, strict=True))
    assert drawn[int(y), int(x)].tolist() == [153, 0, 0]


@pytest.mark.parametrize(
    ("size", "thick"), [((1280, 720), 2), ((720, 1280), 2), ((832, 480), 1), ((1280, 1216), 5)]
)
def test_animate_gets_the_authors_drawing_in_their_own_order(
    size: tuple[int, int], thick: int
) -> None:
    """With feet, and as thick as their second version: max(int(short side / 200) - 1, 1)."""
    pose = pose_in(STANDING, *size)
    expected = reference(pose, size, half=thick, radius=thick, feet=True)
    assert_alike(draw_animate_skeleton(pose, *size), expected)


def test_animates_limit_is_a_half_and_the_mean_for_points_between_two() -> None:
    """A point of 0.49 is left out; a foot counts by the mean of its two toes."""
    size = (400, 400)
    pose = pose_in(STANDING, *size)
    for index, score in ((9, 0.49), (17, 0.3), (18, 0.8), (20, 0.3), (21, 0.6)):
        pose.scores[index] = score
    drawn = draw_animate_skeleton(pose, *size)
    there = {tuple(colour) for colour in drawn.reshape(-1, 3).tolist()}
    # The left wrist is point 8 of the list, the toes are 19 and 20.
    assert COLOURS[7] not in there
    assert FEET_COLOURS[0] in there
    assert FEET_COLOURS[1] not in there


def test_animates_hands_are_thin_lines_in_a_rainbow() -> None:
    """Half as thick as the limbs, at least a pixel, with blue dots; no face is drawn."""
    size = (1280, 1216)
    hand = {91 + joint: (0.2, 0.2 + 0.02 * joint) for joint in range(5)}
    face = {23 + point: (0.6 + 0.002 * point, 0.6) for point in range(68)}
    drawn = draw_animate_skeleton(pose_in({**hand, **face}, *size), *size)
    assert not drawn[:, 700:].any()
    rows, columns = np.nonzero(drawn.any(axis=-1))
    assert np.ptp(columns) == 4
    row = round((0.2 + 0.03) * size[1])
    assert drawn[row, round(0.2 * size[0])].tolist() != [0, 0, 255]
    assert (drawn[round(0.2 * size[1]), round(0.2 * size[0])] == (0, 0, 255)).all()
    assert rows.min() > 0


@pytest.mark.parametrize(
    "card",
    [
        card
        for card in models().values()
        # Wan-Animate-2 reads no skeletons.
        if "pose_video" in card.features.get(Feature.POSE_GUIDANCE, ())
    ],
    ids=lambda card: card.name,
)
def test_every_model_that_follows_poses_names_its_order(card) -> None:
    """Wan 2.1's VACE turns the channels round, the others do not, and the parameters say so."""
    turned = card.name.startswith("wan2.1-vace")
    assert card.skeletons is (ColourOrder.BGR if turned else ColourOrder.RGB)
    schema = card.schema(Feature.POSE_GUIDANCE)
    shoulder = "blue" if turned else "red"
    assert f"right shoulder is {shoulder}" in schema["pose_video"].description
    assert schema["pose_colours"].default == "as_given"
