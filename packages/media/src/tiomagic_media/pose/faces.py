"""Cuts the face of a followed person out of each frame, for models that copy its expression.

The cut is the one that Wan Animate's preparation makes (Wan 2.2, ``get_face_bboxes`` with scale 1.3
in wan/modules/animate/preprocess/utils.py): the box of all 68 points with 1.3 times its area, three
quarters of the added height above, within the frame, stretched to the size that is wanted.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from tiomagic_media.pose.networks import Pose

_FACE = slice(23, 91)
"""The 68 points of the face among those of COCO-WholeBody."""
_MIN_POINTS = 10
"""Fewer visible points are an ear or a chin. The authors cut out the estimator's guess then; here
it is black, which the model was trained to read as "no face"."""
_AREA = 1.3
"""The cut's area as a multiple of the face's."""


def crop_faces(
    frames: NDArray[np.uint8], poses: Sequence[Pose | None], side: int
) -> list[Image.Image]:
    """Return a square picture of the face for each frame, black where none was seen.

    Args:
        frames: uint8, (T, H, W, 3), 0-255, RGB.
        poses: The person in each frame, in pixels of the frame; None where there is none.
        side: Pixels of a picture.
    """
    black = Image.new("RGB", (side, side))
    height, width = frames.shape[1:3]
    faces = []
    for frame, pose in zip(frames, poses, strict=True):
        box = face_box(pose, width, height) if pose is not None else None
        if box is None:
            faces.append(black)
            continue
        cut = Image.fromarray(frame).crop(box)
        faces.append(cut.resize((side, side), Image.Resampling.BILINEAR))
    return faces


def face_box(pose: Pose, width: int, height: int) -> tuple[int, int, int, int] | None:
    """Return left, top, right and bottom of the cut; None where there is no face in the frame.

    Args:
        pose: In pixels of the frame.
        width: Pixels of the frame.
        height: Pixels of the frame.
    """
    if int(pose.seen[_FACE].sum()) < _MIN_POINTS:
        return None
    points = pose.points[_FACE].astype(float)
    (left, top), (right, bottom) = points.min(axis=0), points.max(axis=0)
    # Both sides grow alike, so that the area is as wanted and the shape is kept.
    growth = math.sqrt(_AREA) - 1
    aside, below = (right - left) * growth / 2, (bottom - top) * growth / 4
    x, y = int(max(left - aside, 0)), int(max(top - 3 * below, 0))
    if x >= width or y >= height or right < 0 or bottom < 0:
        return None
    # A face of one point is a pixel.
    return (
        *(x, y),
        max(int(min(right + aside, width)), x + 1),
        max(int(min(bottom + below, height)), y + 1),
    )
