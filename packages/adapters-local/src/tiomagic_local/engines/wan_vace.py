"""Wan VACE: one model for all four features.

The input is a video and a mask of the same length: where the mask is black the video is kept, where
it is white it is generated.

==================  ============================================  ==============================
feature             video                                         mask
==================  ============================================  ==============================
text to video       none                                          none
image to video      the picture, then grey                        black, then white
continuation        the end of a video, then grey                 black, then white
interpolate         the pictures at their frames, else grey       black there, else white
pose guidance       the skeletons                                 none: all of it is made
==================  ============================================  ==============================

The pipeline accepts a video of another size or length and then generates something else, so both
are exact here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs, PoseGuidanceInputs
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._shared.pipeline import Conditions, placed_pictures
from tiomagic_local.engines._shared.skeletons import pose_warnings, read_skeletons
from tiomagic_local.engines._wan import WanEngine
from tiomagic_media.decode.frames import contain, load_image

GREY = (128, 128, 128)
"""The value of frames to generate: the middle of the range, as in training."""
KEEP, MAKE = 0, 255
"""Values of the mask."""
WHITE = (255, 255, 255)


class WanVace(WanEngine):
    """Runs ``WanVACEPipeline``."""

    pipeline = "WanVACEPipeline"
    features: ClassVar[tuple[Feature, ...]] = tuple(Feature)

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        if isinstance(inputs, PoseGuidanceInputs):
            return self._pose_conditions(inputs, settings, progress, cancel)
        if isinstance(inputs, ImageToVideoInputs) and inputs.context is not None:
            known = dict(enumerate(self._context(inputs.context, settings)))
            return Conditions(known_frames(known, settings))
        placed = placed_pictures(inputs, int(settings["num_frames"]))
        known = {frame: self._picture(media, settings) for frame, media in placed.items()}
        return Conditions(known_frames(known, settings) if known else {})

    def _pose_conditions(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        progress(Progress(phase=Phase.PREPARING))
        size = (int(settings["width"]), int(settings["height"]))
        skeletons, facts = read_skeletons(inputs, settings, self._order, progress, cancel)
        whole = place_on_white(load_image(inputs.image), *size)
        return Conditions({"video": skeletons, "reference_images": [whole]}, facts)

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        return pose_warnings(inputs, settings, self._order)

    @property
    def _order(self) -> ColourOrder:
        return self._card.skeletons or ColourOrder.RGB


def known_frames(known: Mapping[int, Image.Image], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the video and the mask that keep some frames and leave the others to the model.

    Args:
        known: Frames by index, each of the video's size.
        settings: With ``width``, ``height`` and ``num_frames``.
    """
    size = (int(settings["width"]), int(settings["height"]))
    grey = Image.new("RGB", size, GREY)
    keep, make = Image.new("L", size, KEEP), Image.new("L", size, MAKE)
    indices = range(int(settings["num_frames"]))
    return {
        "video": [known.get(index, grey) for index in indices],
        "mask": [keep if index in known else make for index in indices],
    }


def place_on_white(image: Image.Image, width: int, height: int) -> Image.Image:
    """Return the whole picture in the middle of a white one of exactly this size.

    A character that is cut off cannot be copied, so here nothing is cropped. The pipeline would do
    the same, but makes large pictures small without a filter.
    """
    return contain(image, width, height, WHITE)


ENGINE = WanVace
