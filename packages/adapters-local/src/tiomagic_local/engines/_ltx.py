"""What the engines of the LTX family share: a model that knows how fast its frames play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiomagic_local.engines._shared.pipeline import PipelineEngine


class LTXEngine(PipelineEngine):
    """Calls a pipeline of the LTX family.

    The pipelines compare types here and there and break where the VAE has another than the rest.
    """

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        # The positions of the frames are in seconds: at another rate the motion is another.
        return {**super()._arguments(prompt, settings), "frame_rate": float(settings["fps"])}

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        del settings
        return 1  # The VAE decodes all frames at once.
