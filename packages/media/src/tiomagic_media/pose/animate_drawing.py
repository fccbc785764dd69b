"""Draws a pose as Wan Animate's own preparation does (Wan 2.2, wan/modules/animate/preprocess).

OpenPose's limbs and colours with two feet more, thinner than VACE's, in RGB, without a face. Lines
and dots are whole pixels of the frame, and nothing is smoothed: that is what the model was trained
on. Points of the feet lie between the two toes, the neck between the shoulders; the score of such a
point is the mean of the two.
"""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from tiomagic_media.pose.openpose_drawing import COLOURS, FINGERS, HANDS, LIMBS

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiomagic_media.pose.networks import Pose

SCORE = 0.5
"""Least score of a point: ``draw_aapose_by_meta_new``."""
_BODY = (
    (0, 6, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3, 17, 20),
    (0, 5, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3, 18, 21),
)
"""Which two points of COCO-WholeBody each of the 20 lies between."""
FEET = ((13, 18), (10, 19))
"""Left ankle to left toes, right ankle to right toes."""
FEET_COLOURS = ((200, 200, 0), (100, 100, 0))
"""Of the points of the toes; limbs take the colour of their own number, as elsewhere."""
_LIMB_BRIGHTNESS = 0.6
_ORIGIN = 0.01
"""A finger at the corner of the frame was not found."""


def draw_animate_skeleton(pose: Pose, width: int, height: int) -> NDArray[np.uint8]:
    """Return a frame with one person's skeleton: uint8, (H, W, 3), 0-255, RGB.

    Args:
        pose: The person, in pixels of the frame.
        width: Pixels of the frame.
        height: Pixels of the frame.
    """
    canvas = Image.new("RGB", (width, height))
    draw = ImageDraw.Draw(canvas)
    thick = max(int(min(width, height) / 200) - 1, 1)
    _draw_body(draw, pose, thick)
    for hand in HANDS:
        _draw_hand(draw, pose.points[list(hand)], pose.scores[list(hand)], max(thick // 2, 1))
    return np.asarray(canvas)


def _draw_body(draw: ImageDraw.ImageDraw, pose: Pose, thick: int) -> None:
    one, other = (list(indices) for indices in _BODY)
    points = (pose.points[one] + pose.points[other]) / 2
    shown = (pose.scores[one] + pose.scores[other]) / 2 >= SCORE
    colours = (*COLOURS, *FEET_COLOURS)
    for (start, end), colour in zip((*LIMBS, *FEET), colours, strict=False):
        if shown[start] and shown[end]:
            dimmed = tuple(int(part * _LIMB_BRIGHTNESS) for part in colour)
            draw.polygon(_stick(points[start], points[end], thick), fill=dimmed)
    for point, visible, colour in zip(points, shown, colours, strict=True):
        if visible:
            _dot(draw, point, thick, colour)


def _stick(
    start: NDArray[np.float32], end: NDArray[np.float32], thick: int
) -> list[tuple[int, int]]:
    """Return the outline of a limb: an ellipse whose measures are whole pixels and degrees."""
    x, y = (int(part) for part in (start + end) / 2)
    across, down = (float(part) for part in start - end)
    half = int(math.hypot(across, down) / 2)
    turn = math.radians(int(math.degrees(math.atan2(down, across))))
    outline = []
    for degree in range(360):
        along = half * math.cos(math.radians(degree))
        aside = thick * math.sin(math.radians(degree))
        outline.append(
            (
                round(x + along * math.cos(turn) - aside * math.sin(turn)),
                round(y + along * math.sin(turn) + aside * math.cos(turn)),
            )
        )
    return outline


def _draw_hand(
    draw: ImageDraw.ImageDraw,
    points: NDArray[np.float32],
    scores: NDArray[np.float32],
    thick: int,
) -> None:
    places = [(int(x), int(y)) for x, y in points]
    shown = (scores >= SCORE) & (np.array(places) > _ORIGIN).all(axis=1)
    for index, (start, end) in enumerate(FINGERS):
        if shown[start] and shown[end]:
            hue = colorsys.hsv_to_rgb(index / len(FINGERS), 1, 1)
            colour = tuple(round(part * 255) for part in hue)
            draw.line([places[start], places[end]], fill=colour, width=thick)
    for place, visible in zip(places, shown, strict=True):
        if visible:
            _dot(draw, place, thick, (0, 0, 255))


def _dot(
    draw: ImageDraw.ImageDraw,
    point: NDArray[np.float32] | tuple[int, int],
    radius: int,
    colour: tuple[int, int, int],
) -> None:
    x, y = int(point[0]), int(point[1])
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
