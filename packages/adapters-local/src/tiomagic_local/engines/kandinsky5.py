"""Kandinsky 5.0: a video from words, which a large model for words and pictures reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

import torch
from diffusers import FlowMatchEulerDiscreteScheduler
from transformers import AutoTokenizer, ProcessorMixin

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature
from tiomagic_local.engines._shared.pipeline import PipelineEngine


class TextOnlyProcessor(ProcessorMixin):  # type: ignore[misc]  # transformers has no types here.
    """Prepares words for Qwen2.5-VL.

    The processor that the repository names prepares pictures and videos too, for which it wants
    torchvision, and the pipeline gives it none.
    """

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)


class EvenStepsScheduler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]  # diffusers has no types.
    """Spreads the steps evenly from all noise to none, as the authors do, and then shifts them.

    The original ends a step before none, at the least level of its training, so that its last step
    is a quarter of theirs: .024 in place of .093 at 50 steps.
    """

    def set_timesteps(
        self, num_inference_steps: int, device: str | torch.device | None = None, **rest: Any
    ) -> None:
        """Set up the steps of a call."""
        sigmas = torch.linspace(1, 0, num_inference_steps + 1)[:-1].tolist()
        super().set_timesteps(device=device, sigmas=sigmas, **rest)


class Kandinsky5(PipelineEngine):
    """Runs ``Kandinsky5T2VPipeline``."""

    pipeline = "Kandinsky5T2VPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO,)
    # In fp16 the VAE may overflow, in bf16 it shows bands.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)
    masked = False
    consumed_settings: ClassVar[frozenset[str]] = PipelineEngine.consumed_settings | {"flow_shift"}

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # Five seconds are too many for one piece.
        pipeline.vae.enable_tiling()

    @classmethod
    def components(cls, folder: Path) -> dict[str, Any]:
        """Return the components that are not loaded as the repository says."""
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        return {"tokenizer": TextOnlyProcessor(tokenizer)}

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        shipped = self._pipeline.scheduler.config
        return EvenStepsScheduler.from_config(shipped, shift=float(settings["flow_shift"]))

    def _latent_frames(self, latents: torch.Tensor, settings: Mapping[str, Any]) -> torch.Tensor:
        del settings
        return latents[0].movedim(-1, 0)  # The channels come last, then those of the conditions.

    def _tokenizer(self) -> Any:
        return self._pipeline.tokenizer.tokenizer


ENGINE = Kandinsky5
