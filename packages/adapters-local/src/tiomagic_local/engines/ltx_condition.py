"""LTX-Video from 0.9.5 on: a prompt, and pictures at given frames.

A picture at frame 0 takes the place of the first latent frame, the end of a continued video that of
as many as it has. One at a later frame is appended to
the sequence as tokens with that frame's position, and taken away again before decoding.

The lists ``image`` and ``video`` of the pipeline are paired with each other, so that of two
pictures without a video the second is silently lost. Here conditions are passed explicitly.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from diffusers import FlowMatchEulerDiscreteScheduler
from diffusers.pipelines.ltx.pipeline_ltx_condition import LTXVideoCondition

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._ltx import LTXEngine
from tiomagic_local.engines._shared.pipeline import Conditions, placed_pictures
from tiomagic_media.decode.frames import even_indices

if TYPE_CHECKING:
    import torch


class GivenTimestepsScheduler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]
    """Uses time steps as they are given, and the noise levels that belong to them.

    The pipeline gives time steps alone. From these the scheduler would derive noise levels that are
    shifted as its configuration says, and then step from one table to the other.
    """

    def set_timesteps(
        self,
        num_inference_steps: int | None = None,
        device: str | torch.device | None = None,
        sigmas: Sequence[float] | None = None,
        mu: float | None = None,
        timesteps: Sequence[float] | None = None,
    ) -> None:
        """Set up the time steps of a call."""
        if timesteps is not None and sigmas is None:
            sigmas = [float(step) / self.config.num_train_timesteps for step in timesteps]
        super().set_timesteps(num_inference_steps, device, sigmas, mu, timesteps)


class LTXCondition(LTXEngine):
    """Runs ``LTXConditionPipeline``."""

    pipeline = "LTXConditionPipeline"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature.TEXT_TO_VIDEO,
        Feature.IMAGE_TO_VIDEO,
        Feature.INTERPOLATE,
    )
    video_at_end: ClassVar[bool] = True

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # As the documentation runs the large model.
        pipeline.vae.enable_tiling()

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        del progress, cancel
        if isinstance(inputs, ImageToVideoInputs) and inputs.context is not None:
            clip = self._context(inputs.context, settings)
            return Conditions({"conditions": [LTXVideoCondition(video=clip, frame_index=0)]})
        placed = placed_pictures(inputs, int(settings["num_frames"]))
        given = [
            LTXVideoCondition(image=self._picture(media, settings), frame_index=frame)
            for frame, media in placed.items()
        ]
        return Conditions({"conditions": given} if given else {})

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        del settings
        return GivenTimestepsScheduler.from_config(
            self._pipeline.scheduler.config,
            shift=1.0,
            use_dynamic_shifting=False,
            shift_terminal=None,
        )

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        trained = self._card.options["timesteps"]
        steps = even_indices(len(trained), int(settings["num_inference_steps"]))
        return {
            **super()._arguments(prompt, settings),
            "timesteps": [trained[step] for step in steps],
            # Guidance is distilled into the model.
            "guidance_scale": 1.0,
        }


ENGINE = LTXCondition
