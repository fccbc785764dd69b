"""Draws the skeleton of the person in a video, frame by frame.

One person is followed: the largest in the first frame with a person, then the one that overlaps
    most with the last position, else the largest again. A frame without a person is black; nothing
    is carried over from its neighbours.

VACE's own annotator draws all people that it finds. Here it is one, because pose guidance has one
picture of one character: passers-by would become further bodies.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_media.pose.models import PoseModels, find_pose_models
from tiomagic_media.pose.networks import Detector, Estimator, Pose, area, overlap
from tiomagic_media.pose.openpose_drawing import draw_skeleton

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["PoseModels", "estimate_skeletons", "find_pose_models", "follow_poses"]

_MIN_SAME_PERSON_OVERLAP = 0.1
"""Least overlap with the last frame's box; people move less than their own width between two."""


def estimate_skeletons(
    frames: NDArray[np.uint8],
    *,
    progress: ProgressSink,
    cancel: CancelToken,
    models: PoseModels | None,
    hands: bool = False,
    face: bool = True,
    order: ColourOrder = ColourOrder.RGB,
) -> NDArray[np.uint8]:
    """Return the skeletons of the person in a video, in OpenPose's colours on black.

    Args:
        frames: uint8, (T, H, W, 3), 0-255, RGB.
        progress: Gets each finished frame, as ``preparing``.
        cancel: Asked before each frame.
        models: The two networks; None to look for them as ``find_pose_models`` does.
        hands: Draw the fingers. Off, because the annotator of the VACE models leaves them out.
        face: Draw the face's outline.
        order: Of the colours, as the model reads them.

    Returns:
        uint8, (T, H, W, 3), of the same size.

    Raises:
        GenerationError: when no frame shows a person.
        GenerationCanceledError: when the job was asked to stop.
        MissingDependencyError: when the extra ``pose`` is not installed.
        ConfigurationError: when the networks are not there or of another kind.
    """
    height, width = frames.shape[1:3]
    skeletons = np.zeros_like(frames)
    poses = follow_poses(frames, progress=progress, cancel=cancel, models=models)
    for index, pose in enumerate(poses):
        if pose is not None:
            skeletons[index] = draw_skeleton(
                pose, width, height, hands=hands, face=face, order=order
            )
    return skeletons


def follow_poses(
    frames: NDArray[np.uint8],
    *,
    progress: ProgressSink,
    cancel: CancelToken,
    models: PoseModels | None,
) -> Iterator[Pose | None]:
    """Yield the pose of the followed person in each frame, None where there is none.

    Takes and raises what ``estimate_skeletons`` does; raises at the end when no person was found.
    """
    found = models or find_pose_models()
    detect, estimate = Detector(found.detector), Estimator(found.pose)
    last: NDArray[np.float32] | None = None
    for index, frame in enumerate(frames):
        cancel.raise_if_canceled()
        box = _followed(detect(frame), last)
        yield estimate(frame, box) if box is not None else None
        last = last if box is None else box
        progress(Progress(phase=Phase.PREPARING, step=index + 1, steps=len(frames)))
    if last is None:
        raise GenerationError(
            f"no person was found in the {len(frames)} frames of the guiding video; "
            "give a video that shows a person, or the skeletons themselves as pose_video",
            code=ErrorCode.NOBODY_FOUND,
        )


def _followed(
    boxes: NDArray[np.float32], last: NDArray[np.float32] | None
) -> NDArray[np.float32] | None:
    if not len(boxes):
        return None
    chosen = int(np.argmax([area(box) for box in boxes]))
    if last is not None:
        shared = [overlap(box, last) for box in boxes]
        nearest = int(np.argmax(shared))
        chosen = nearest if shared[nearest] >= _MIN_SAME_PERSON_OVERLAP else chosen
    person: NDArray[np.float32] = boxes[chosen]
    return person
