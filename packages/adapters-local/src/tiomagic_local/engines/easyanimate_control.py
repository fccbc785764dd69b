"""EasyAnimate's control model: skeletons, and a picture of how the video begins.

The pipeline of diffusers 0.42.1 cannot be called: it gives ``encode_prompt`` an argument that this
does not take, and has lost ``decode_latents`` (diffusers issue 13638). Both are mended here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from diffusers import EasyAnimateControlPipeline

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.catalogue.skeleton_colours import ColourOrder
from tiomagic_domain.features import Feature, Inputs, PoseGuidanceInputs
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._shared.pipeline import Conditions, PipelineEngine
from tiomagic_local.engines._shared.skeletons import pose_warnings, read_skeletons

if TYPE_CHECKING:
    from PIL import Image


class MendedControlPipeline(EasyAnimateControlPipeline):  # type: ignore[misc]  # diffusers has no types.
    """The pipeline of diffusers with what its call needs."""

    # Each argument by its name: who remembers encoded prompts tells calls apart by them.
    def encode_prompt(  # noqa: PLR0913, PLR0917 - the original has them
        self,
        prompt: Any,
        num_images_per_prompt: int = 1,
        do_classifier_free_guidance: bool = True,  # noqa: FBT001, FBT002 - as in the original
        negative_prompt: Any = None,
        prompt_embeds: Any = None,
        negative_prompt_embeds: Any = None,
        prompt_attention_mask: Any = None,
        negative_prompt_attention_mask: Any = None,
        device: torch.device | None = None,
        dtype: torch.dtype | None = None,
        text_encoder_index: int = 0,
    ) -> Any:
        """Encode the prompts; of the text encoders there is only one."""
        del text_encoder_index
        return super().encode_prompt(
            prompt=prompt,
            num_images_per_prompt=num_images_per_prompt,
            do_classifier_free_guidance=do_classifier_free_guidance,
            negative_prompt=negative_prompt,
            prompt_embeds=prompt_embeds,
            negative_prompt_embeds=negative_prompt_embeds,
            prompt_attention_mask=prompt_attention_mask,
            negative_prompt_attention_mask=negative_prompt_attention_mask,
            device=device,
            dtype=dtype,
        )

    def decode_latents(self, latents: torch.Tensor) -> torch.Tensor:
        """Return the video of latents, as the pipeline for words has it."""
        decoded: torch.Tensor = self.vae.decode(latents / self.vae.config.scaling_factor).sample
        return decoded


class EasyAnimateControl(PipelineEngine):
    """Runs ``EasyAnimateControlPipeline``.

    The pipeline gives the VAE what has the text encoder's type, so that no component may have
    another type than the rest.
    """

    pipeline = "EasyAnimateControlPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.POSE_GUIDANCE,)
    # The pipeline knows how much of a prompt it reads.
    limit_argument: ClassVar[str | None] = None

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        pipeline.__class__ = MendedControlPipeline
        # Its decoder is too wide for a whole frame at once.
        pipeline.vae.enable_tiling()

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        assert isinstance(inputs, PoseGuidanceInputs), "it has no other feature"
        progress(Progress(phase=Phase.PREPARING))
        skeletons, facts = read_skeletons(inputs, settings, ColourOrder.RGB, progress, cancel)
        arguments = {
            "control_video": as_video(skeletons),
            "ref_image": as_video([self._picture(inputs.image, settings)]),
        }
        return Conditions(arguments, facts)

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        return pose_warnings(inputs, settings, ColourOrder.RGB)

    def _clean(self) -> None:
        super()._clean()
        # The frames that the VAE has in its hands.
        self._pipeline.vae._clear_conv_cache()  # noqa: SLF001 - it has no public name


def as_video(pictures: Sequence[Image.Image]) -> torch.Tensor:
    """Return pictures as the pipeline takes a video: (1, 3, T, H, W), 0.0-1.0."""
    frames = torch.from_numpy(np.stack([np.asarray(picture) for picture in pictures]))
    return frames.permute(3, 0, 1, 2)[None].float() / 255


ENGINE = EasyAnimateControl
