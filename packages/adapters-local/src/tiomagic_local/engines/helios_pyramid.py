"""Helios Mid and Distilled: each piece of the video at three sizes, one after the other."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.watch import Watch
from tiomagic_local.engines.helios import Helios, count_pieces

SIZES = 3
"""Sizes at which a piece is made: a quarter, a half, the whole."""


class HeliosPyramid(Helios):
    """Runs ``HeliosPyramidPipeline``."""

    pipeline = "HeliosPyramidPipeline"
    consumed_settings: ClassVar[frozenset[str]] = Helios.consumed_settings | {"num_inference_steps"}

    @property
    def _distilled(self) -> bool:
        return bool(self._card.options.get("distilled", False))

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        steps = int(settings["num_inference_steps"])
        arguments: dict[str, Any] = {"pyramid_num_inference_steps_list": [steps] * SIZES}
        if self._distilled:
            arguments |= {"guidance_scale": 1.0, "is_amplify_first_chunk": True}
        return super()._arguments(prompt, settings) | arguments

    def _watch(
        self, settings: Mapping[str, Any], progress: ProgressSink, cancel: CancelToken
    ) -> Watch:
        steps = SIZES * int(settings["num_inference_steps"])
        return super()._watch({**settings, "num_inference_steps": steps}, progress, cancel)

    def _sections(self, settings: Mapping[str, Any]) -> int:
        # A distilled model takes twice the steps for the first piece.
        return count_pieces(settings) + (1 if self._distilled else 0)


ENGINE = HeliosPyramid
