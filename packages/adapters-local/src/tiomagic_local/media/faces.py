"""Cuts the face of a followed person out of each frame, for models that copy its expression."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiomagic_local.media.pose_networks import Pose

_FACE = slice(23, 91)
"""The 68 points of the face among those of COCO-WholeBody."""
_FEWEST = 10
"""Fewer points than these are an ear or a chin, from which no face can be placed."""
_MARGIN = 1.3
"""The cut as a multiple of the face's longer side."""
_RAISED = 0.1
"""Part of the face's height by which the cut is moved up: no point lies on the forehead."""


def crop_faces(
    frames: NDArray[np.uint8], poses: Sequence[Pose | None], side: int
) -> list[Image.Image]:
    """Return a square picture of the face for each frame, black where none was seen.

    Args:
        frames: uint8, (T, H, W, 3), 0-255, RGB.
        poses: The person in each frame, in pixels of the frame; None where nobody is.
        side: Pixels of a picture.
    """
    black = Image.new("RGB", (side, side))
    faces = []
    for frame, pose in zip(frames, poses, strict=True):
        box = _face_box(pose) if pose is not None else None
        if box is None:
            faces.append(black)
            continue
        # What lies outside of the frame becomes black.
        cut = Image.fromarray(frame).crop(box)
        faces.append(cut.resize((side, side), Image.Resampling.LANCZOS))
    return faces


def _face_box(pose: Pose) -> tuple[int, int, int, int] | None:
    points = pose.points[_FACE][pose.seen[_FACE]]
    if len(points) < _FEWEST:
        return None
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    half = max(right - left, bottom - top) * _MARGIN / 2
    across, down = (left + right) / 2, (top + bottom) / 2 - _RAISED * (bottom - top)
    x, y, reach = round(float(across)), round(float(down)), max(1, round(float(half)))
    return x - reach, y - reach, x + reach, y + reach
