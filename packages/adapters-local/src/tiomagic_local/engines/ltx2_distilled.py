"""LTX-2.3 with distilled weights: eight set levels of noise, one pass of the transformer each.

What guides the other models costs further passes, and is distilled into the weights. The pipeline
takes levels of noise as they are when its scheduler shifts nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_local.engines.ltx2 import LTX2
from tiomagic_media.decode.frames import even_indices

UNGUIDED = {
    "guidance_scale": 1.0,
    "audio_guidance_scale": 1.0,
    "modality_scale": 1.0,
    "guidance_rescale": 0.0,
    "stg_scale": 0.0,
}
"""What turns each kind of guidance off."""


class LTX2Distilled(LTX2):
    """Runs ``LTX2ConditionPipeline`` on distilled weights."""

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        del settings
        shipped = self._pipeline.scheduler
        return type(shipped).from_config(
            shipped.config, use_dynamic_shifting=False, shift=1.0, shift_terminal=None
        )

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        trained = self._card.options["sigmas"]
        steps = even_indices(len(trained), int(settings["num_inference_steps"]))
        arguments = super()._arguments(prompt, {**settings, **UNGUIDED})
        return {**arguments, "sigmas": [trained[step] for step in steps]}


ENGINE = LTX2Distilled
