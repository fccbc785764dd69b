"""Reads the background and the mask for engines that replace a person in a video.

The mask is white where the background is replaced. There the model gets black in place of the
background, as in its training (Wan 2.2, wan/modules/animate/preprocess/process_pipepline.py), and
so it does not see the person who was there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import PoseGuidanceInputs
from tiomagic_local.engines._shared.skeletons import load_motion
from tiomagic_media.masks.masks import to_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Scene:
    """A background with what is replaced in it."""

    frames: NDArray[np.uint8]
    """uint8, (T, H, W, 3), RGB; black where it is replaced."""
    masks: NDArray[np.bool_]
    """(T, H, W): True where it is replaced."""

    @property
    def facts(self) -> dict[str, Any]:
        """What the record says of it."""
        return {"replaced": {"part_of_picture": round(float(self.masks.mean()), 4)}}

    def pictures(self) -> tuple[list[Image.Image], list[Image.Image]]:
        """Return the frames in RGB and the masks in grey, white where it is replaced."""
        masks = self.masks.astype(np.uint8) * 255
        return [Image.fromarray(f) for f in self.frames], [Image.fromarray(m) for m in masks]


def load_scene(inputs: PoseGuidanceInputs, settings: Mapping[str, Any]) -> Scene | None:
    """Return the background and the mask for each frame of the video; None without a background.

    Both are cut to the shape of the video, and follow the pace of the motion.

    Args:
        inputs: Of the call.
        settings: With ``width``, ``height``, ``num_frames``, ``fps`` and ``pose_pace``.

    Raises:
        GenerationError: when the mask replaces nothing.
    """
    if inputs.background_video is None or inputs.mask_video is None:
        return None
    size = (int(settings["width"]), int(settings["height"]))
    masks = to_mask(load_motion(inputs.mask_video, settings, size))
    if not masks.any():
        raise GenerationError(
            "mask_video is black in all frames that are used: what is white in it is replaced",
            code=ErrorCode.EMPTY_MASK,
        )
    frames = load_motion(inputs.background_video, settings, size)
    frames[masks] = 0
    return Scene(frames, masks)
