"""Pusa: Wan's text model with a LoRA, and a separate noise level for each frame.

A latent frame has a multiplier m: 1 for a frame that is made from nothing, less for one that is
known. At the noise level s of a step it is at s*m, so that one with m = 0 is clean all the time::

    start     (1 - s*m) * known + s*m * noise
    the model gets for each frame the time step 1000 * s*m a step    x + (next s - s) * m * what the
    model says

The end of a continued video is several latent frames, each with the multiplier that the authors use
at its place. A picture of interpolation may be at any of them, also the last one alone.

Diffusers 0.42.1 has no pipeline of Pusa. ``WanPipeline`` does the rest: it gets the start, a
scheduler with these steps, and a hook on the transformer that sets the time step of each frame,
which the transformer takes for every token.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
import torch
from diffusers import FlowMatchEulerDiscreteScheduler

from tiomagic_domain.features import Feature, ImageToVideoInputs, Inputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_domain.schema.keyframes import PICTURE_FRAMES
from tiomagic_local.engines._shared.pipeline import Conditions, placed_pictures
from tiomagic_local.engines._wan import TEMPORAL_RATIO, WanEngine

CONTEXT_NOISE = (0.0, 0.3, 0.4, 0.5)
"""Multipliers of the first latent frames of a video that goes on: the authors' README (PusaV1,
video extension from 13 frames)."""
CONTEXT_LATENTS = "context_latents"
"""Setting of a call within this engine: how many latent frames the end of a video has."""


class PerFrameEulerScheduler(FlowMatchEulerDiscreteScheduler):  # type: ignore[misc]
    """Euler's steps along a flow, each latent frame at a noise level of its own."""

    multipliers: torch.Tensor
    """Part of the step's noise that each latent frame has: (T,), 0.0-1.0."""

    def set_timesteps(self, num_inference_steps: int, device: Any = None, **_rest: Any) -> None:
        """Set even steps from pure noise to none, before the shift."""
        super().set_timesteps(
            sigmas=np.linspace(1.0, 0.0, num_inference_steps + 1)[:-1], device=device
        )

    def step(
        self, model_output: torch.Tensor, timestep: Any, sample: torch.Tensor, **_rest: Any
    ) -> tuple[torch.Tensor]:
        """Take one step.

        Args:
            model_output: What the model says: (B, C, T, H, W).
            timestep: The time step of a frame with the multiplier 1.
            sample: The latents: (B, C, T, H, W).
        """
        if self.step_index is None:
            self._init_step_index(timestep)
        now, then = self.sigmas[self.step_index], self.sigmas[self.step_index + 1]
        self._step_index += 1
        m = self.multipliers.to(sample.device)[:, None, None]
        moved = sample.float() + (then - now).to(sample.device) * m * model_output.float()
        return (moved.to(sample.dtype),)


class Pusa(WanEngine):
    """Runs ``WanPipeline`` with the weights of Pusa."""

    pipeline = "WanPipeline"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature.TEXT_TO_VIDEO,
        Feature.IMAGE_TO_VIDEO,
        Feature.INTERPOLATE,
    )
    consumed_settings: ClassVar[frozenset[str]] = WanEngine.consumed_settings | {
        "noise_multiplier",
        "last_noise_multiplier",
        "cond_position",
        # The strength of the LoRA, which is on the weights already.
        "lora_alpha",
        CONTEXT_LATENTS,
    }

    def generate(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port of the inputs' feature says."""
        if isinstance(inputs, ImageToVideoInputs) and inputs.context is not None:
            count = (inputs.context.frames - 1) // TEMPORAL_RATIO + 1
            settings = {**settings, CONTEXT_LATENTS: count}
        return super().generate(inputs, settings, progress, cancel)

    text_to_video = image_to_video = interpolate = generate

    def warnings(self, inputs: object, settings: Mapping[str, Any]) -> Sequence[str]:
        """Return warnings before the run."""
        if not isinstance(inputs, ImageToVideoInputs) or inputs.context is None:
            return []
        usual = self._card.schema(Feature.IMAGE_TO_VIDEO)["noise_multiplier"].default
        if settings["noise_multiplier"] == usual:
            return []
        listed = ", ".join(map(str, CONTEXT_NOISE))
        return [f"noise_multiplier is for a picture; the end of a video has the authors' {listed}"]

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        pictures = placed_pictures(inputs, int(settings["num_frames"]))
        if not pictures:
            return Conditions()
        cancel.raise_if_canceled()
        progress(Progress(phase=Phase.PREPARING))
        if isinstance(inputs, ImageToVideoInputs) and inputs.context is not None:
            end = self._latent(self._context(inputs.context, settings))
            return Conditions({"latents": _start(torch.split(end, 1, dim=2), settings)})
        known = [self._latent([self._picture(one, settings)]) for one in pictures.values()]
        return Conditions({"latents": _start(known, settings)})

    @contextlib.contextmanager
    def _collect(self, settings: Mapping[str, Any]) -> Iterator[Callable[[Any], Any]]:
        known = bool(places(settings))
        times = frame_times(self._pipeline.transformer, multipliers(settings))
        with times if known else contextlib.nullcontext(), super()._collect(settings) as collect:
            yield collect

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        scheduler = PerFrameEulerScheduler(shift=float(settings["flow_shift"]))
        scheduler.multipliers = multipliers(settings)
        return scheduler


def places(settings: Mapping[str, Any]) -> dict[int, float]:
    """Return the multiplier of each latent frame that has a picture, by its number, in order."""
    if CONTEXT_LATENTS in settings:
        return dict(enumerate(CONTEXT_NOISE[: int(settings[CONTEXT_LATENTS])]))
    if "noise_multiplier" not in settings:
        return {}
    first = float(settings["noise_multiplier"])
    if PICTURE_FRAMES not in settings:
        return {int(settings.get("cond_position", 0)): first}
    later = float(settings["last_noise_multiplier"])
    return {
        frame // TEMPORAL_RATIO: first if frame == 0 else later
        for frame in settings[PICTURE_FRAMES]
    }


def multipliers(settings: Mapping[str, Any]) -> torch.Tensor:
    """Return the multiplier of each latent frame: (T,)."""
    known = places(settings)
    return torch.tensor([known.get(index, 1.0) for index in range(_count(settings))])


def _count(settings: Mapping[str, Any]) -> int:
    """Return how many latent frames there are."""
    return (int(settings["num_frames"]) - 1) // TEMPORAL_RATIO + 1


def _start(known: Sequence[torch.Tensor], settings: Mapping[str, Any]) -> torch.Tensor:
    """Return the latents before the first step, which is at pure noise: (1, C, T, h, w)."""
    generator = torch.Generator("cpu").manual_seed(int(settings["seed"]))
    shape = (1, known[0].shape[1], _count(settings), *known[0].shape[3:])
    latents = torch.randn(shape, generator=generator)
    for latent, (place, m) in zip(known, places(settings).items(), strict=True):
        latents[:, :, place : place + 1] = (1 - m) * latent + m * latents[:, :, place : place + 1]
    return latents


@contextlib.contextmanager
def frame_times(transformer: Any, m: torch.Tensor) -> Iterator[None]:
    """Pass a transformer the time step of each frame instead of one for all.

    Args:
        transformer: Wan's; it also takes one time step a token.
        m: The multiplier of each latent frame: (T,).
    """

    def hook(_module: Any, given: tuple[Any, ...], named: dict[str, Any]) -> Any:
        _, high, wide = transformer.config.patch_size
        *_, height, width = named["hidden_states"].shape
        times = named["timestep"][:, None] * m.to(named["timestep"].device)
        tokens = times.repeat_interleave((height // high) * (width // wide), dim=1)
        return given, {**named, "timestep": tokens}

    handle = transformer.register_forward_pre_hook(hook, with_kwargs=True)
    try:
        yield
    finally:
        handle.remove()


ENGINE = Pusa
