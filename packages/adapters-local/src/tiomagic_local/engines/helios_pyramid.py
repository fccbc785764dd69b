"""Helios Mid and Distilled: each piece of the video at three sizes, one after the other."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.watch import Watch
from tiomagic_local.engines.helios import Helios, count_pieces

SIZES = 3
"""Sizes at which a piece is made: a quarter, a half, the whole."""


class HeliosPyramid(Helios):
    """Runs ``HeliosPyramidPipeline``."""

    pipeline = "HeliosPyramidPipeline"
    consumed_settings: ClassVar[frozenset[str]] = Helios.consumed_settings | {"num_inference_steps"}

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        gamma = pipeline.scheduler.config.gamma

        def sample_block_noise(*given: Any) -> torch.Tensor:
            *shape, patch_size, device, generator = given
            return draw_block_noise(gamma, shape, patch_size, device, generator)

        pipeline.sample_block_noise = sample_block_noise

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


def draw_block_noise(
    gamma: float,
    shape: Sequence[int],
    patch_size: Sequence[int],
    device: torch.device,
    generator: torch.Generator,
) -> torch.Tensor:
    """Return noise whose values within each block of latents nearly cancel each other.

    The pipeline does the same in fp32, where the covariance of a block is singular: whether it can
    be factorized there is a matter of the processor's rounding.

    Args:
        gamma: The covariance of two values of a block, taken negative.
        shape: Of the latents: batch, channels, frames, height, width.
        patch_size: Frames, rows and columns of a block; it has one frame.
        device: Of the noise.
        generator: Of the CPU, or of the device.

    Returns:
        fp32, of that shape.
    """
    *most, height, width = shape
    _, rows, columns = patch_size
    size = rows * columns
    covariance = torch.eye(size, dtype=torch.float64) * (1 + gamma + 1e-8) - gamma
    mix = torch.linalg.cholesky(covariance).float().to(device)
    grid = (*most, height // rows, width // columns)
    drawn = torch.randn(math.prod(grid), size, generator=generator, device=generator.device)
    blocks = (drawn.to(device) @ mix.T).view(*grid, rows, columns)
    noise: torch.Tensor = blocks.transpose(4, 5).reshape(tuple(shape))
    return noise


ENGINE = HeliosPyramid
