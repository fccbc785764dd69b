"""Base of the Wan engines: the UniPC scheduler, and a VAE that decodes in chunks."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, ClassVar

import torch
from diffusers import UniPCMultistepScheduler

from tiomagic_local.engines._shared.pipeline import PipelineEngine
from tiomagic_local.engines._shared.stream import FrameStream, decodes_in_order

TEMPORAL_RATIO = 4
"""Frames in one latent frame, after the first one."""


class ZeroBasedUniPCScheduler(UniPCMultistepScheduler):  # type: ignore[misc]  # diffusers has no types.
    """UniPC that counts its steps from 0.

    The original looks up where to begin by the first timestep, rounded to a whole number. Many
    steps or a large shift give the first two the same one, and it begins at the second.
    """

    def set_timesteps(self, *args: Any, **kwargs: Any) -> None:
        """Set the timesteps of a call and begin at the first."""
        super().set_timesteps(*args, **kwargs)
        self.set_begin_index(0)


def plain_steps(steps: int) -> dict[str, Any]:
    """Return what makes UniPC's steps those of Euler: order 1, and none is corrected afterwards.

    Its time steps are those that few-step weights were distilled on. Diffusers' own Euler scheduler
    has others: it spaces them evenly after the shift, not before.
    """
    return {"solver_order": 1, "disable_corrector": list(range(steps))}


class WanEngine(PipelineEngine):
    """Calls a pipeline of the Wan family."""

    # Decoding in bf16 shows bands; the VAE is small.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)
    masked = False
    streams_frames: ClassVar[bool] = True
    """True where what the VAE decodes, from the first to the last, are the frames of the clip."""
    consumed_settings: ClassVar[frozenset[str]] = PipelineEngine.consumed_settings | {"flow_shift"}

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        # Only UniPC obeys flow_shift, whatever scheduler the repository ships. A new one for each
        # call, so that nothing of a stopped run is left in it.
        turbo = self._card.turbo_of(settings)
        plain = plain_steps(int(settings["num_inference_steps"])) if turbo and turbo.euler else {}
        return ZeroBasedUniPCScheduler.from_config(
            self._pipeline.scheduler.config,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=float(settings["flow_shift"]),
            **plain,
        )

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        return (int(settings["num_frames"]) - 1) // TEMPORAL_RATIO + 1

    @contextmanager
    def _collect(self, settings: Mapping[str, Any]) -> Iterator[Callable[[Any], Any]]:
        if not (self.streams_frames and decodes_in_order(self._pipeline.vae)):
            with super()._collect(settings) as collect:
                yield collect
            return
        shape = (self._length(settings), int(settings["height"]), int(settings["width"]), 3)
        with FrameStream(self._pipeline, shape, float(settings["fps"])) as stream:
            yield stream.put_into

    def _clean(self) -> None:
        super()._clean()
        # The frames that the VAE has in its hands.
        self._pipeline.vae.clear_cache()

    def _latent(self, pictures: Sequence[Any]) -> torch.Tensor:
        """Return frames as normalised latents: (1, C, T, h, w), float32, on the CPU.

        Args:
            pictures: One, or 4k+1 of a video.
        """
        vae = self._pipeline.vae
        frames = [self._pipeline.video_processor.preprocess(picture) for picture in pictures]
        pixels = torch.stack(frames, dim=2)
        try:
            with torch.no_grad():
                device = self._pipeline._execution_device  # noqa: SLF001 - known to no one else
                encoded = vae.encode(pixels.to(device, vae.dtype)).latent_dist.mode().float().cpu()
        except BaseException:
            self._clean()
            raise
        shape = (1, -1, 1, 1, 1)
        mean = torch.tensor(vae.config.latents_mean).view(shape)
        deviation = torch.tensor(vae.config.latents_std).view(shape)
        normalised: torch.Tensor = (encoded - mean) / deviation
        return normalised
