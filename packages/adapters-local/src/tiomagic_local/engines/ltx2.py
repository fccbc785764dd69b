"""LTX-2 and 2.3: video and sound in one go, from words, from a picture, or between two.

The repository names the pipeline for words. The one that takes pictures at frames of their own is
set up beside it on the same components, and makes videos from words as well.

A control video goes to a third pipeline on the same components, as tokens behind those of the
video; a LoRA that is applied for the call reads them. It may be smaller than the video, and how
many times is said in the LoRA's file.

The pipelines count places in latent frames: their ``-1`` for the last one is the beginning of the
last eight frames. The model itself places a picture at a frame, so the last picture goes seven
eighths into the last latent frame, which is exactly the last frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

from diffusers.models.transformers.transformer_ltx2 import LTX2PerturbedAttnProcessor
from diffusers.pipelines.ltx2.pipeline_ltx2_condition import LTX2VideoCondition
from diffusers.pipelines.ltx2.pipeline_ltx2_ic_lora import LTX2ReferenceCondition

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature, Inputs, PoseGuidanceInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._ltx import LTXEngine
from tiomagic_local.engines._shared.control_videos import control_warnings, read_control
from tiomagic_local.engines._shared.pipeline import Conditions, PipelineEngine, placed_pictures
from tiomagic_local.engines._shared.sibling import sibling
from tiomagic_local.engines._shared.sound import to_samples

TEMPORAL_RATIO = 8
"""Frames in one latent frame, after the first one."""


class LTX2(LTXEngine):
    """Runs ``LTX2ConditionPipeline`` on the weights of ``LTX2Pipeline``.

    With a control video it runs ``LTX2InContextPipeline``.
    """

    pipeline = "LTX2Pipeline"
    features: ClassVar[tuple[Feature, ...]] = tuple(Feature)
    reference_downscale: int = 1
    """How many times smaller than the video its control video is, as the LoRA of the call says."""

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        perturbable(pipeline.transformer)
        super().__init__(pipeline, card)
        self._in_context = self._on_sibling("LTX2InContextPipeline")
        self._pipeline = sibling(pipeline, "LTX2ConditionPipeline")
        # As the documentation runs it.
        pipeline.vae.enable_tiling()

    def _for_inputs(self, inputs: Inputs) -> PipelineEngine:
        # The copy over the other pipeline has no such pipeline itself.
        if not isinstance(inputs, PoseGuidanceInputs) or not hasattr(self, "_in_context"):
            return self
        self._in_context.reference_downscale = self.reference_downscale
        return self._in_context

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        return control_warnings(inputs, settings, self._order)

    @property
    def _order(self) -> ColourOrder:
        return self._card.skeletons or ColourOrder.RGB

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        if isinstance(inputs, PoseGuidanceInputs):
            return self._control_conditions(inputs, settings, progress, cancel)
        placed = placed_pictures(inputs, int(settings["num_frames"]))
        given = [
            LTX2VideoCondition(frames=self._picture(media, settings), index=latent_position(frame))
            for frame, media in placed.items()
        ]
        return Conditions({"conditions": given} if given else {})

    def _control_conditions(
        self,
        inputs: PoseGuidanceInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        progress(Progress(phase=Phase.PREPARING))
        frames, facts = read_control(inputs, settings, self._order, progress, cancel)
        ends = [LTX2VideoCondition(frames=self._picture(inputs.image, settings), index=0)]
        if inputs.last_frame is not None:
            last = latent_position(int(settings["num_frames"]) - 1)
            picture = self._picture(inputs.last_frame, settings)
            ends.append(LTX2VideoCondition(frames=picture, index=last))
        given = {
            "conditions": ends,
            "reference_conditions": [LTX2ReferenceCondition(frames=frames)],
            "reference_downscale_factor": self.reference_downscale,
        }
        return Conditions(given, facts)

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        del settings
        # The repository's configuration shifts by the video's size, which the authors' own
        # pipelines never do: the larger the video, the more noise would be left for the last steps.
        shipped = self._pipeline.scheduler
        return type(shipped).from_config(
            shipped.config,
            use_dynamic_shifting=False,
            shift=self._card.options["shift"],
            shift_terminal=self._card.options["shift_terminal"],
        )

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        arguments = super()._arguments(prompt, settings)
        return {
            **arguments,
            # A guidance of its own has only the prompt; what is left out is copied by the pipeline,
            # and its own defaults are those of a later version.
            "audio_modality_scale": arguments["modality_scale"],
            "audio_guidance_rescale": arguments["guidance_rescale"],
            "audio_stg_scale": arguments["stg_scale"],
            "spatio_temporal_guidance_blocks": list(self._card.options.get("stg_blocks", ())),
            "use_cross_timestep": self._card.options["use_cross_timestep"],
        }

    def _clip(self, output: Any, prompt: str, settings: Mapping[str, Any]) -> Clip:
        clip = super()._clip(output, prompt, settings)
        rate = int(self._pipeline.vocoder.config.output_sampling_rate)
        return replace(clip, audio=to_samples(output.audio[0]), audio_rate=rate)


def perturbable(transformer: Any) -> None:
    """Let a transformer's self-attention be left out, which spatio-temporal guidance does.

    It needs no weights. The converted weights of 2.0 have the switch off, since later versions
    brought it to the library, and the library reads it when the blocks are made. Those of 2.3 have
    it on.
    """
    if transformer.config.perturbed_attn:
        return
    transformer.register_to_config(perturbed_attn=True)
    for block in transformer.transformer_blocks:
        block.perturbed_attn = True
        for attention in (block.attn1, block.audio_attn1):
            attention.set_processor(LTX2PerturbedAttnProcessor())


def latent_position(frame: int) -> float:
    """Return where a frame lies, counted in latent frames: 0 is 0, and 1 is the first of eight.

    Args:
        frame: Index of the frame in the video.
    """
    return 0 if frame == 0 else (frame - 1) / TEMPORAL_RATIO + 1


ENGINE = LTX2
