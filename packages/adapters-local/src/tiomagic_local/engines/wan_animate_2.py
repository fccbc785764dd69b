"""Wan-Animate-2: a character that follows the people of a video, in segments of 81 frames.

The video is seen as it is: no skeletons are made of it, and words move the camera.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from PIL import Image

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature, Inputs, PoseGuidanceInputs
from tiomagic_domain.media import Media
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._shared.modular import ModularEngine
from tiomagic_local.engines._shared.pipeline import Conditions
from tiomagic_local.engines._shared.skeletons import load_motion, pace_warning
from tiomagic_local.engines._wan_animate_2 import attend_frame_by_frame
from tiomagic_media.decode.frames import contain, cover, load_image, place_on_black

SEGMENT_FRAMES = 81
"""Frames that are made at a time."""
OVERLAP_FRAMES = 1
"""Frames of a segment that are the end of the one before."""
TEMPORAL_RATIO = 4
"""Frames in one latent frame, after the first one."""
BLACK = (0, 0, 0)
MAX_CROP_PX = 16
"""Pixels of a picture, scaled to the video, that may be cut off: the step of the legal sizes."""


class WanAnimate2(ModularEngine):
    """Runs ``WanAnimate2ModularPipeline``."""

    pipeline = "WanAnimate2ModularPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.POSE_GUIDANCE,)
    # Decoding in bf16 shows bands; the VAE is small.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)
    masked = False
    consumed_settings: ClassVar[frozenset[str]] = ModularEngine.consumed_settings | {"kv_cache"}

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        self._store = attend_frame_by_frame(pipeline.transformer)

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        assert isinstance(inputs, PoseGuidanceInputs), "it has no other feature"
        assert inputs.guiding_video is not None, "the schema wants it"
        progress(Progress(phase=Phase.PREPARING))
        cancel.raise_if_canceled()
        width, height = size = (int(settings["width"]), int(settings["height"]))
        frames = load_motion(inputs.guiding_video, settings, size, place_on_black)
        return Conditions(
            {
                "image": whole_picture(inputs.image, size),
                # In the size and at the rate of the video already: the pipeline changes nothing.
                "driving_video": [Image.fromarray(frame) for frame in frames],
                # The pipeline takes an area, and computes the sides again from the picture's shape.
                # With the exact area, 174 of the legal sizes lose 16 pixels of a side.
                "height": width * height + 1,
                "width": 1,
                "segment_frame_length": _segment(settings),
                "prev_segment_conditioning_frames": OVERLAP_FRAMES,
            }
        )

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        assert isinstance(inputs, PoseGuidanceInputs), "it has no other feature"
        assert inputs.guiding_video is not None, "the schema wants it"
        said = pace_warning(inputs.guiding_video, settings)
        return () if said is None else (said,)

    def place_cache(self, *, in_main_memory: bool, eight_bits: bool) -> None:
        """Say where the keys and values of the guiding video wait from the next call on."""
        self._store.in_main_memory, self._store.eight_bits = in_main_memory, eight_bits

    def _sections(self, settings: Mapping[str, Any]) -> int:
        frames, segment = int(settings["num_frames"]), _segment(settings)
        return math.ceil((frames - OVERLAP_FRAMES) / (segment - OVERLAP_FRAMES))

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        return self._sections(settings) * ((_segment(settings) - 1) // TEMPORAL_RATIO + 1)


def whole_picture(media: Media, size: tuple[int, int]) -> Image.Image:
    """Return a picture in the size of a video: whole, on black where its shape is another.

    A shape that differs by the step of the legal sizes alone is cropped by so much: the model would
    keep black lines at the edges.
    """
    picture, (width, height) = load_image(media), size
    scale = max(width / picture.width, height / picture.height)
    cut = max(picture.width * scale - width, picture.height * scale - height)
    return cover(picture, *size) if cut < MAX_CROP_PX else contain(picture, *size, BLACK)


def _segment(settings: Mapping[str, Any]) -> int:
    # A video that is shorter than a segment is a segment.
    return min(SEGMENT_FRAMES, int(settings["num_frames"]))


ENGINE = WanAnimate2
