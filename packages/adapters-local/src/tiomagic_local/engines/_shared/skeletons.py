"""Reads the guiding video or skeletons for the engines of pose guidance: pace, colours, length."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue.skeleton_colours import (
    COLOURS_AS_GIVEN,
    FIT_PACE,
    REAL_PACE,
    ColourOrder,
)
from tiomagic_domain.features import MotionInputs
from tiomagic_domain.media import Media
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_media.decode.frames import cover, load_video
from tiomagic_media.pose.colour_order import colours_warning, read_order, reorder_colours

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

_MAX_PACE_RATIO = 1.1
"""Factor of the pace above which a warning is given."""
MIN_POSE_SIDE_PX = 384
"""Least shorter side, in pixels, of frames for the pose detector."""


def read_skeletons(
    inputs: MotionInputs,
    settings: Mapping[str, Any],
    order: ColourOrder,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[list[Image.Image], dict[str, Any]]:
    """Return the skeletons of a call in the size of the video, and what the record says of them.

    Poses are estimated only in the used frames and their used part, but at a size that shows hands,
    however small the video will be.

    Args:
        inputs: With one of the two videos.
        settings: With ``width``, ``height``, ``num_frames``, ``fps`` and ``pose_pace``.
        order: Of the colours that the model reads.
        progress: Gets the events of the estimation.
        cancel: Checked at each frame.
    """
    from PIL import Image

    size = (int(settings["width"]), int(settings["height"]))
    if inputs.pose_video is not None:
        frames = load_motion(inputs.pose_video, settings, size)
        frames, facts = convert_skeletons(frames, inputs.pose_video, settings, order)
        return [Image.fromarray(frame) for frame in frames], facts
    assert inputs.guiding_video is not None, "the schema wants exactly one of the two"
    from tiomagic_media.pose.estimate import estimate_skeletons

    scale = max(1, math.ceil(MIN_POSE_SIDE_PX / min(size)))
    large = (size[0] * scale, size[1] * scale)
    frames = load_motion(inputs.guiding_video, settings, large)
    skeletons = estimate_skeletons(
        frames, progress=progress, cancel=cancel, models=None, order=order
    )
    return [cover(Image.fromarray(frame), *size) for frame in skeletons], {}


def load_motion(
    media: Media,
    settings: Mapping[str, Any],
    size: tuple[int, int],
    shape: Callable[[Image.Image, int, int], Image.Image] = cover,
) -> NDArray[np.uint8]:
    """Return the frames of a motion for each frame of the video: uint8, (T, H, W, 3), RGB.

    Args:
        media: The video of the motion.
        settings: With ``num_frames``, ``fps`` and ``pose_pace``.
        size: Width and height.
        shape: Makes a frame of that size.
    """
    fps = float(settings["fps"]) if _pace(settings) == REAL_PACE else None
    return load_video(media, count=int(settings["num_frames"]), size=size, fps=fps, shape=shape)


def convert_skeletons(
    frames: NDArray[np.uint8], media: Media, settings: Mapping[str, Any], order: ColourOrder
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """Return given skeletons as a model reads them, and what the record says of it.

    Args:
        frames: uint8, (T, H, W, 3), of the video.
        media: The video.
        settings: With ``pose_colours``, unless the card has no such parameter.
        order: The model's.
    """
    has = read_order(media, _colours(settings))
    converted = has not in {None, order}
    facts = {"model": order.value, "given": has.value if has else None, "converted": converted}
    return reorder_colours(frames, has, order), {"pose_colours": facts}


def pose_warnings(inputs: object, settings: Mapping[str, Any], order: ColourOrder) -> Sequence[str]:
    """Return warnings about a motion before a run: its colours, its pace, its length."""
    if not isinstance(inputs, MotionInputs):
        return ()
    said = []
    if inputs.pose_video is not None:
        said.append(colours_warning(inputs.pose_video, _colours(settings), order))
    motion = inputs.pose_video or inputs.guiding_video
    if motion is not None:
        said.append(pace_warning(motion, settings))
    return tuple(text for text in said if text is not None)


def pace_warning(media: Media, settings: Mapping[str, Any]) -> str | None:
    """Return a warning about the length of a motion; None if it fits the video."""
    if not media.fps:
        return None
    takes, lasts = media.frames / media.fps, int(settings["num_frames"]) / float(settings["fps"])
    if 1 / _MAX_PACE_RATIO <= takes / lasts <= _MAX_PACE_RATIO:
        return None
    if _pace(settings) == FIT_PACE:
        return (
            f"the motion takes {takes:.1f} s and the video lasts {lasts:.1f} s: it is seen "
            f"{takes / lasts:.2g} times as fast; pose_pace='real' keeps its pace"
        )
    rest = "the rest is left out" if takes > lasts else "then the last pose stays"
    return (
        f"the motion takes {takes:.1f} s and the video lasts {lasts:.1f} s: {rest}; num_frames "
        "sets the length, and pose_pace='fit' spreads all of the motion over it"
    )


def _colours(settings: Mapping[str, Any]) -> str:
    return str(settings.get("pose_colours", COLOURS_AS_GIVEN))


def _pace(settings: Mapping[str, Any]) -> str:
    return str(settings.get("pose_pace", FIT_PACE))
