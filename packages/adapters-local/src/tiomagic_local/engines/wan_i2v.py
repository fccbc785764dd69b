"""Wan's picture models: a video that begins with a picture, or lies between two."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tiomagic_domain.features import ImageToVideoInputs, InterpolateInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._wan import WanEngine


class WanImageToVideo(WanEngine):
    """Runs ``WanImageToVideoPipeline``."""

    pipeline = "WanImageToVideoPipeline"
    # The picture is read once; in bf16 its encoder saves 1.2 GiB and blurs what it sees.
    fp32: ClassVar[tuple[str, ...]] = ("vae", "image_encoder")

    def image_to_video(
        self,
        inputs: ImageToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``ImageToVideo`` says."""
        conditions = {"image": self._picture(inputs.image, settings)}
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)

    def interpolate(
        self,
        inputs: InterpolateInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``Interpolate`` says. Needs weights trained on both ends."""
        conditions = {
            "image": self._picture(inputs.first_frame, settings),
            "last_image": self._picture(inputs.last_frame, settings),
        }
        return self._generate(inputs.prompt, settings, progress, cancel, conditions)


ENGINE = WanImageToVideo
