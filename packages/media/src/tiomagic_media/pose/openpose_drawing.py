"""Draws a pose as VACE's annotator does: OpenPose's colours on black.

Body: 18 points and 17 limbs, each in its own hue; limbs at 60 % of it, points at all of it.
Face: white dots. Hands: lines in a rainbow, blue dots. Sizes are those of the annotator that the
VACE models were trained with, which draws at 1024 pixels on the short side and scales down. It
swaps red and blue at the end; doodle was trained on colours that are not swapped. Wan Animate has a
drawing of its own, in ``animate_skeletons``.
"""

from __future__ import annotations

import colorsys
import math
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image, ImageDraw

from tiomagic_domain.catalogue.skeleton_colours import ColourOrder

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from tiomagic_media.pose.networks import Pose

    Point = tuple[float, float]

_SHORT_SIDE = 1024
"""Pixels of the canvas; all sizes below are in pixels of this canvas."""
_LARGEST_ENLARGEMENT = 4.0
"""Small frames are drawn on a smaller canvas, or their lines would be thinner than a pixel."""
_STICK, _JOINT, _DOT, _FINGER = 4.0, 4.0, 3.0, 2.0
_LIMB_BRIGHTNESS = 0.6

COLOURS = (
    (255, 0, 0),
    (255, 85, 0),
    (255, 170, 0),
    (255, 255, 0),
    (170, 255, 0),
    (85, 255, 0),
    (0, 255, 0),
    (0, 255, 85),
    (0, 255, 170),
    (0, 255, 255),
    (0, 170, 255),
    (0, 85, 255),
    (0, 0, 255),
    (85, 0, 255),
    (170, 0, 255),
    (255, 0, 255),
    (255, 0, 170),
    (255, 0, 85),
)
"""RGB of the 18 points; limb i has the colour of point i."""

_NOSE, _NECK = 0, 1
_FROM_COCO = (0, -1, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
"""Which COCO point each of OpenPose's 18 is; the neck (-1) lies between the shoulders."""
_SHOULDERS = (5, 6)

LIMBS = (
    (_NECK, 2),
    (_NECK, 5),
    (2, 3),
    (3, 4),
    (5, 6),
    (6, 7),
    (_NECK, 8),
    (8, 9),
    (9, 10),
    (_NECK, 11),
    (11, 12),
    (12, 13),
    (_NECK, _NOSE),
    (_NOSE, 14),
    (14, 16),
    (_NOSE, 15),
    (15, 17),
)
"""Pairs of OpenPose points, in the order of the colours."""

_FACE = range(23, 91)
HANDS = (range(91, 112), range(112, 133))
FINGERS = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1)
    for finger in range(5)
    for joint in range(4)
)


def draw_skeleton(
    pose: Pose,
    width: int,
    height: int,
    *,
    hands: bool,
    face: bool,
    order: ColourOrder = ColourOrder.RGB,
) -> NDArray[np.uint8]:
    """Return a frame with one person's skeleton: uint8, (H, W, 3), 0-255.

    Args:
        pose: The person, in pixels of the frame.
        width: Pixels of the frame.
        height: Pixels of the frame.
        hands: Draw the fingers.
        face: Draw the face's outline.
        order: Of the colours, as the model reads them.
    """
    short = min(width, height)
    scale = min(_SHORT_SIDE / short, _LARGEST_ENLARGEMENT)
    canvas = Image.new("RGB", (round(width * scale), round(height * scale)))
    draw = ImageDraw.Draw(canvas)
    points = pose.points * scale
    unit = max(1.0, min(canvas.size) / _SHORT_SIDE)
    _draw_body(draw, points, pose.seen, unit)
    if hands:
        _draw_hands(draw, points, pose.seen, unit)
    if face:
        for index in _FACE:
            if pose.seen[index]:
                _dot(draw, points[index], _DOT * unit, (255, 255, 255))
    if canvas.size != (width, height):
        canvas = canvas.resize((width, height), Image.Resampling.BOX)
    drawn = np.asarray(canvas)
    return drawn if order is ColourOrder.RGB else np.ascontiguousarray(drawn[..., ::-1])


def to_openpose(
    points: NDArray[np.float32], seen: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Return OpenPose's 18 body points, (18, 2), and which of them were seen, (18,)."""
    body, visible = points[list(_FROM_COCO)].copy(), seen[list(_FROM_COCO)].copy()
    body[_NECK] = points[list(_SHOULDERS)].mean(axis=0)
    visible[_NECK] = seen[list(_SHOULDERS)].all()
    return body, visible


def _draw_body(
    draw: ImageDraw.ImageDraw,
    points: NDArray[np.float32],
    seen: NDArray[np.bool_],
    unit: float,
) -> None:
    body, visible = to_openpose(points, seen)
    for (start, end), colour in zip(LIMBS, COLOURS, strict=False):
        if visible[start] and visible[end]:
            dimmed = tuple(int(part * _LIMB_BRIGHTNESS) for part in colour)
            draw.polygon(_stick(body[start], body[end], _STICK * unit), fill=dimmed)
    for point, shown, colour in zip(body, visible, COLOURS, strict=True):
        if shown:
            _dot(draw, point, _JOINT * unit, colour)


def _stick(start: NDArray[np.float32], end: NDArray[np.float32], half_width: float) -> list[Point]:
    # A limb is an ellipse that touches both of its points.
    middle = (start + end) / 2
    along = (end - start) / 2
    length = float(np.hypot(*along))
    across = np.array((-along[1], along[0])) / length * half_width if length else along
    turns = [2 * math.pi * step / 72 for step in range(72)]
    outline = [middle + along * math.cos(turn) + across * math.sin(turn) for turn in turns]
    return [(float(x), float(y)) for x, y in outline]


def _dot(
    draw: ImageDraw.ImageDraw,
    point: NDArray[np.float32],
    radius: float,
    colour: tuple[int, int, int],
) -> None:
    x, y = float(point[0]), float(point[1])
    draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)


def _draw_hands(
    draw: ImageDraw.ImageDraw,
    points: NDArray[np.float32],
    seen: NDArray[np.bool_],
    unit: float,
) -> None:
    for hand in HANDS:
        places, shown = points[list(hand)], seen[list(hand)]
        for index, (start, end) in enumerate(FINGERS):
            if shown[start] and shown[end]:
                hue = colorsys.hsv_to_rgb(index / len(FINGERS), 1, 1)
                ends = [(float(x), float(y)) for x, y in (places[start], places[end])]
                colour = tuple(round(part * 255) for part in hue)
                draw.line(ends, fill=colour, width=max(1, round(_FINGER * unit)))
        for point, visible in zip(places, shown, strict=True):
            if visible:
                _dot(draw, point, _JOINT * unit, (0, 0, 255))
