"""SkyReels-V2 with diffusion forcing: words, a picture, or two, on one set of weights.

The repository names the pipeline for words. The ones for pictures and for the end of a video are
set up beside it on the same components. What the last one gives has the end twice: as it was, and
then as the first frames of what it has made.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.pipeline import Conditions
from tiomagic_local.engines._wan import WanEngine

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray


class SkyReelsContinuation(WanEngine):
    """Runs ``SkyReelsV2DiffusionForcingVideoToVideoPipeline``: a video that goes on."""

    pipeline = "SkyReelsV2DiffusionForcingVideoToVideoPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.IMAGE_TO_VIDEO,)
    # What is decoded is put behind the given frames, so that both need the same size.
    streams_frames: ClassVar[bool] = False

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        del progress, cancel
        assert isinstance(inputs, ImageToVideoInputs), "it has no other feature"
        assert inputs.context is not None, "a picture is for the other pipeline"
        frames = self._context(inputs.context, settings)
        # All frames are made together, as by the other pipelines here.
        together = int(settings["num_frames"])
        return Conditions(
            {"video": frames, "overlap_history": len(frames), "base_num_frames": together}
        )

    def _frames(self, output: Any, settings: Mapping[str, Any]) -> torch.Tensor | NDArray[np.uint8]:
        frames: torch.Tensor = output.frames[0]
        return frames[-int(settings["num_frames"]) :]


class SkyReelsForcing(WanEngine):
    """Runs ``SkyReelsV2DiffusionForcingPipeline``, and the one for pictures on its weights."""

    pipeline = "SkyReelsV2DiffusionForcingPipeline"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature.TEXT_TO_VIDEO,
        Feature.IMAGE_TO_VIDEO,
        Feature.INTERPOLATE,
    )
    picture_pipeline: ClassVar[str | None] = "SkyReelsV2DiffusionForcingImageToVideoPipeline"

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        continuation = SkyReelsContinuation(pipeline, card)
        self._continuation = continuation._on_sibling(SkyReelsContinuation.pipeline)  # noqa: SLF001

    def generate(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip; the end of a video is for the pipeline that continues it."""
        if isinstance(inputs, ImageToVideoInputs) and inputs.context is not None:
            return self._continuation.generate(inputs, settings, progress, cancel)
        return super().generate(inputs, settings, progress, cancel)

    text_to_video = image_to_video = interpolate = generate


ENGINE = SkyReelsForcing
