"""SkyReels-V2 with diffusion forcing: words, a picture, or several, on one set of weights.

The repository names the pipeline for words. The ones for pictures and for the end of a video are
set up beside it on the same components. What the last one gives has the end twice: as it was, and
then as the first frames of what it has made.

The one for pictures takes the first, which it needs, and the last. Each latent frame has a noise
level of its own, so a picture between them is a latent frame that is clean from the start: it is in
the latents that the pipeline begins with, and the steps leave it alone, as they do the first.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

import torch

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs, InterpolateInputs
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_domain.schema.keyframes import PICTURE_FRAMES
from tiomagic_local.engines._shared.pipeline import Conditions, PipelineEngine
from tiomagic_local.engines._wan import TEMPORAL_RATIO, WanEngine

if TYPE_CHECKING:
    import numpy as np
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

    def _for_inputs(self, inputs: Inputs) -> PipelineEngine:
        if isinstance(inputs, ImageToVideoInputs) and inputs.context is not None:
            return self._continuation
        return super()._for_inputs(inputs)

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        ends = super()._conditions(inputs, settings, progress, cancel)
        if not isinstance(inputs, InterpolateInputs) or not inputs.keyframes:
            return ends
        cancel.raise_if_canceled()
        progress(Progress(phase=Phase.PREPARING))
        known = {
            one.frame // TEMPORAL_RATIO: self._latent([self._picture(one.image, settings)])
            for one in inputs.keyframes
        }
        return Conditions({**ends.arguments, "latents": _start(known, settings)}, ends.facts)

    @contextmanager
    def _collect(self, settings: Mapping[str, Any]) -> Iterator[Callable[[Any], Any]]:
        # The pipeline itself keeps the ends.
        between = settings.get(PICTURE_FRAMES, ())[1:-1]
        places = [frame // TEMPORAL_RATIO for frame in between]
        with _kept_clean(self._pipeline, places), super()._collect(settings) as collect:
            yield collect


def _start(known: Mapping[int, torch.Tensor], settings: Mapping[str, Any]) -> torch.Tensor:
    """Return the latents before the first step: noise, and the pictures in their places.

    Args:
        known: Latent frames by their number, (1, C, 1, h, w).
        settings: With the seed and the length.
    """
    latents = settings.get("latents")
    if latents is None:
        _, channels, _, height, width = next(iter(known.values())).shape
        count = (int(settings["num_frames"]) - 1) // TEMPORAL_RATIO + 1
        generator = torch.Generator("cpu").manual_seed(int(settings["seed"]))
        latents = torch.randn((1, channels, count, height, width), generator=generator)
    latents = latents.clone()
    for place, latent in known.items():
        latents[:, :, place : place + 1] = latent.to(latents)
    return latents


@contextmanager
def _kept_clean(pipeline: Any, places: list[int]) -> Iterator[None]:
    """Let the steps of a pipeline leave some latent frames alone, which are clean already."""
    if not places:
        yield
        return
    original = pipeline.generate_timestep_matrix

    def with_clean_frames(*given: Any, **named: Any) -> Any:
        times, index, updates, intervals = original(*given, **named)
        times[:, places] = 0
        updates[:, places] = False
        return times, index, updates, intervals

    pipeline.generate_timestep_matrix = with_clean_frames
    try:
        yield
    finally:
        del pipeline.generate_timestep_matrix


ENGINE = SkyReelsForcing
