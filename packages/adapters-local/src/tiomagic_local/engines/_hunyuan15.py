"""What the engines of HunyuanVideo 1.5 share: guidance as a part of the pipeline, no callback."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from diffusers import ClassifierFreeGuidance

from tiomagic_domain.catalogue import ModelCard
from tiomagic_local.engines._shared.pipeline import PipelineEngine
from tiomagic_local.torch_env.quiet import silence_libraries


class Hunyuan15Engine(PipelineEngine):
    """Calls a pipeline of HunyuanVideo 1.5.

    The VAE runs in the type of the rest (bf16), as in the documentation of diffusers. The authors
    have it in fp16 under autocast, which keeps its norms in fp32: the pipeline has no autocast, and
    plain fp16 may overflow.
    """

    has_step_callback = False
    # The pipeline knows how much of a prompt it reads.
    limit_argument: ClassVar[str | None] = None
    consumed_settings: ClassVar[frozenset[str]] = PipelineEngine.consumed_settings | {
        "guidance_scale",
        "flow_shift",
    }

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # Its decoder makes maps of 1,024 channels, too many for a whole frame at once.
        pipeline.vae.enable_tiling()

    def _set_up(self, settings: Mapping[str, Any]) -> None:
        super()._set_up(settings)
        # A new one for each call: it remembers the step that it was at. And each warns of being new
        # to diffusers.
        with silence_libraries():
            guider = ClassifierFreeGuidance(guidance_scale=float(settings["guidance_scale"]))
        self._pipeline.guider = guider

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        shipped = self._pipeline.scheduler
        return type(shipped).from_config(shipped.config, shift=float(settings["flow_shift"]))
