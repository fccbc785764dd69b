"""Reads the background and the mask for engines that replace a person in a video.

The mask is white where the background is replaced. There the model gets black in place of the
background, as in its training (Wan 2.2, wan/modules/animate/preprocess/process_pipepline.py), and
so it does not see the person who was there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.features import PoseGuidanceInputs
from tiomagic_domain.media import Media
from tiomagic_local.engines._shared.skeletons import load_motion
from tiomagic_media.decode.frames import load_video
from tiomagic_media.masks.masks import to_mask

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_LENGTH_RATIO = 1.1
"""Factor between the lengths of mask and background above which a warning is given."""
MAX_SHAPE_RATIO = 1.05
"""Factor between the shapes of two inputs above which they do not lie on each other."""
MUCH = 0.6
"""Part of the picture above which a mask is likely to be the wrong way round."""
_LOOKED_AT = 8
"""Frames of a mask that are looked at before a run."""


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


def replacement_warnings(inputs: object) -> Sequence[str]:
    """Return warnings about a background and its mask before a run."""
    if not isinstance(inputs, PoseGuidanceInputs):
        return ()
    background, mask = inputs.background_video, inputs.mask_video
    if background is None or mask is None:
        return ()
    motion = inputs.pose_video or inputs.guiding_video
    named = [("mask_video", mask)]
    if motion is not None:
        named.append(("pose_video" if inputs.pose_video else "guiding_video", motion))
    return (*_shape_warnings(background, named), *_mask_warnings(background, mask))


def _shape_warnings(background: Media, named: Sequence[tuple[str, Media]]) -> Iterator[str]:
    shape = background.width / background.height
    for name, media in named:
        ratio = media.width / media.height / shape
        if not 1 / MAX_SHAPE_RATIO <= ratio <= MAX_SHAPE_RATIO:
            yield (
                f"{name} is {media.width}x{media.height} and background_video "
                f"{background.width}x{background.height}: they are of different shapes, and do "
                "not lie on each other"
            )


def _mask_warnings(background: Media, mask: Media) -> Iterator[str]:
    if mask.frames > 1 and mask.fps and background.fps:
        lasts, kept = mask.frames / mask.fps, background.frames / background.fps
        if not 1 / MAX_LENGTH_RATIO <= lasts / kept <= MAX_LENGTH_RATIO:
            yield (
                f"mask_video lasts {lasts:.1f} s and background_video {kept:.1f} s: they do not "
                "move together"
            )
    looked_at = min(_LOOKED_AT, max(mask.frames, 1))
    white = float(to_mask(load_video(mask, count=looked_at)).mean())
    if white > MUCH:
        yield (
            f"mask_video is white in {white:.0%} of the picture, and what is white is replaced; "
            "is it the wrong way round?"
        )
