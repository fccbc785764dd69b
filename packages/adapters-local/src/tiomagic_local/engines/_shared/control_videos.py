"""Makes the control video of a call: skeletons and edges are found, all others are as given.

===========  ===================  =========================
``control``  from guiding_video   ready
===========  ===================  =========================
pose         skeletons are drawn  pose_video, control_video
edges        outlines are drawn   control_video
depth        no                   control_video
motion       no                   control_video
===========  ===================  =========================
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from PIL import Image

from tiomagic_domain.catalogue.pose_parameters import CONTROL_ARGUMENT, ControlKind
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import PoseGuidanceInputs
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.skeletons import (
    load_motion,
    pace_warning,
    pose_warnings,
    read_skeletons,
)

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


def read_control(
    inputs: PoseGuidanceInputs,
    settings: Mapping[str, Any],
    order: ColourOrder,
    progress: ProgressSink,
    cancel: CancelToken,
) -> tuple[list[Image.Image], dict[str, Any]]:
    """Return the control video in the size and the length of the video, and facts about it.

    Args:
        inputs: With one of the three videos.
        settings: With ``control``, ``width``, ``height``, ``num_frames``, ``fps``, ``pose_pace``.
        order: Of the colours of skeletons that the model reads.
        progress: Gets the events of what is found in a plain video.
        cancel: Checked at each frame of it.

    Raises:
        GenerationError: when no person is found in a plain video.
        MissingDependencyError: when skeletons are to be found and the extra ``pose`` is missing.
    """
    size = (int(settings["width"]), int(settings["height"]))
    if inputs.control_video is not None:
        return _pictures(load_motion(inputs.control_video, settings, size)), {}
    if inputs.guiding_video is not None and settings[CONTROL_ARGUMENT] == ControlKind.EDGES:
        from tiomagic_media.edges import draw_edges

        frames = load_motion(inputs.guiding_video, settings, size)
        return _pictures(draw_edges(frames, progress=progress, cancel=cancel)), {}
    return read_skeletons(inputs, settings, order, progress, cancel)


def control_warnings(
    inputs: object, settings: Mapping[str, Any], order: ColourOrder
) -> tuple[str, ...]:
    """Return warnings about a control video before a run: its pace, its length, its colours."""
    said = [*pose_warnings(inputs, settings, order)]
    if isinstance(inputs, PoseGuidanceInputs) and inputs.control_video is not None:
        pace = pace_warning(inputs.control_video, settings)
        said += [pace] if pace is not None else []
    return tuple(said)


def _pictures(frames: NDArray[np.uint8]) -> list[Image.Image]:
    return [Image.fromarray(frame) for frame in frames]
