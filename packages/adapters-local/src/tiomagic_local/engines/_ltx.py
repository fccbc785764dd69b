"""What the engines of the LTX family share: a model that knows how fast its frames play."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from tiomagic_local.engines._shared.pipeline import PipelineEngine
from tiomagic_local.engines._shared.previews import unpack_tokens

if TYPE_CHECKING:
    import torch


class LTXEngine(PipelineEngine):
    """Calls a pipeline of the LTX family.

    The pipelines compare types here and there and break where the VAE has another than the rest.
    """

    video_at_end: ClassVar[bool] = False
    """True where the tokens of the video come after those of pictures at later frames."""

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        # The positions of the frames are in seconds: at another rate the motion is another.
        return {**super()._arguments(prompt, settings), "frame_rate": float(settings["fps"])}

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        del settings
        return 1  # The VAE decodes all frames at once.

    def _latent_frames(self, latents: torch.Tensor, settings: Mapping[str, Any]) -> torch.Tensor:
        return unpack_tokens(latents, self._pipeline, settings, at_end=self.video_at_end)
