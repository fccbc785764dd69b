"""Helios: a video in pieces of 33 frames, each made from a memory of those before it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from diffusers.utils.torch_utils import randn_tensor

from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.engines._shared.pipeline import Conditions, PipelineEngine
from tiomagic_local.engines._wan import WanEngine

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from PIL import Image

PIECE_LATENTS = 9
"""Latent frames that are made at a time."""
PIECE_FRAMES = 33
"""The same in frames of the video."""
LOWEST_NOISE, HIGHEST_NOISE = 0.111, 0.135
"""Noise on a picture's latents, drawn between the two: the pipeline's own values."""


class Helios(WanEngine):
    """Runs ``HeliosPipeline``."""

    pipeline = "HeliosPipeline"
    features: ClassVar[tuple[Feature, ...]] = (Feature.TEXT_TO_VIDEO, Feature.IMAGE_TO_VIDEO)
    # The last piece is longer than what is left of the video.
    streams_frames = False

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        return PipelineEngine._scheduler(self, settings)  # noqa: SLF001 - it has its own schedulers

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        if not isinstance(inputs, ImageToVideoInputs):
            return Conditions()
        progress(Progress(phase=Phase.PREPARING))
        picture = self._picture(inputs.image, settings)
        cancel.raise_if_canceled()
        generator = torch.Generator("cpu").manual_seed(int(settings["seed"]))
        with self._left_clean():
            first, past = self._remember(picture, generator)
        # Where the VAE waits off the device, it goes back there.
        self._placed.maybe_free_model_hooks()
        arguments = {
            "image_latents": first,
            "fake_image_latents": past,
            "add_noise_to_image_latents": False,
            # The noise of the video comes after that of the picture.
            "generator": generator,
        }
        return Conditions(arguments)

    @torch.no_grad()
    def _remember(
        self, picture: Image.Image, generator: torch.Generator
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Return a picture's latents and those of a still video's end, each with a little noise.

        The pipeline does the same, but draws the amount of noise on the device, where a generator
        of the CPU is refused.
        """
        pipeline = self._pipeline
        device, vae = pipeline._execution_device, pipeline.vae  # noqa: SLF001 - diffusers' own name
        shape = (1, vae.config.z_dim, 1, 1, 1)
        mean = torch.tensor(vae.config.latents_mean).view(shape).to(device, vae.dtype)
        scale = 1.0 / torch.tensor(vae.config.latents_std).view(shape).to(device, vae.dtype)
        latents = pipeline.prepare_image_latents(
            pipeline.video_processor.preprocess(picture, picture.height, picture.width),
            latents_mean=mean,
            latents_std=scale,
            num_latent_frames_per_chunk=PIECE_LATENTS,
            dtype=torch.float32,
            device=device,
            generator=generator,
        )
        first, past = (add_noise(part, generator) for part in latents)
        return first, past

    def _sections(self, settings: Mapping[str, Any]) -> int:
        return count_pieces(settings)

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        return count_pieces(settings) * PIECE_LATENTS

    def _frames(self, output: Any, settings: Mapping[str, Any]) -> torch.Tensor | NDArray[np.uint8]:
        return super()._frames(output, settings)[: int(settings["num_frames"])]


def count_pieces(settings: Mapping[str, Any]) -> int:
    """Return how many pieces a video of this length is made of."""
    return math.ceil(int(settings["num_frames"]) / PIECE_FRAMES)


def add_noise(latents: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """Return latents with a little noise, how much of which is drawn as well.

    Args:
        latents: On any device.
        generator: Of the CPU.
    """
    drawn = torch.rand(1, generator=generator) * (HIGHEST_NOISE - LOWEST_NOISE) + LOWEST_NOISE
    amount = drawn.to(latents.device)
    noise = randn_tensor(latents.shape, generator=generator, device=latents.device)
    mixed: torch.Tensor = amount * noise + (1 - amount) * latents
    return mixed


ENGINE = Helios
