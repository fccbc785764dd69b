"""What the engines of the Wan family share: one call of a pipeline, from settings to frames."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import torch
from diffusers import UniPCMultistepScheduler

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.errors import GenerationError, TioMagicError
from tiomagic_domain.media import Clip, Media
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._watch import Watch
from tiomagic_local.media.frames import cover, load_image

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image

TEMPORAL_RATIO = 4
"""Frames in one latent frame, after the first one."""


class WanEngine:
    """Calls a pipeline of the Wan family.

    Args:
        pipeline: Loaded and placed.
        card: The model.
    """

    pipeline: ClassVar[str]
    # Decoding in bf16 shows bands; the VAE is small.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        self._pipeline = pipeline
        self._card = card

    def _generate(
        self,
        prompt: str,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
        conditions: Mapping[str, Any],
    ) -> Clip:
        """Call the pipeline.

        Args:
            prompt: What the video shows.
            settings: Those of the model's schema.
            progress: Told each moment.
            cancel: Asked at each moment.
            conditions: Further arguments of the pipeline.
        """
        cancel.raise_if_canceled()
        steps, frames = int(settings["num_inference_steps"]), int(settings["num_frames"])
        self._pipeline.scheduler = self._scheduler(float(settings["flow_shift"]))
        limit = self._card.prompt_tokens
        chunks = (frames - 1) // TEMPORAL_RATIO + 1
        watch = Watch(self._pipeline, steps=steps, chunks=chunks, progress=progress, cancel=cancel)
        with watch:
            output = self._call(
                prompt=prompt,
                negative_prompt=settings["negative_prompt"],
                width=settings["width"],
                height=settings["height"],
                num_frames=frames,
                num_inference_steps=steps,
                guidance_scale=settings["guidance_scale"],
                max_sequence_length=limit,
                # Drawn on the CPU, so that a seed means the same noise on every device.
                generator=torch.Generator("cpu").manual_seed(int(settings["seed"])),
                callback_on_step_end=watch.on_step_end,
                output_type="pt",
                **conditions,
            )
        pixels = to_pixels(output.frames[0])
        wanted = (frames, settings["height"], settings["width"], 3)
        if pixels.shape != wanted:
            raise GenerationError(f"the model gave frames of {pixels.shape} instead of {wanted}")
        tokens = len(self._pipeline.tokenizer(prompt).input_ids)
        facts: dict[str, object] = {
            "prompt_tokens": tokens,
            "prompt_tokens_read": min(tokens, limit),
        }
        return Clip(frames=pixels, fps=float(settings["fps"]), facts=facts)

    def _scheduler(self, flow_shift: float) -> Any:
        # Only UniPC obeys flow_shift, whatever scheduler the repository ships. A new one for each
        # call, so that nothing of a stopped run is left in it.
        return UniPCMultistepScheduler.from_config(
            self._pipeline.scheduler.config,
            prediction_type="flow_prediction",
            use_flow_sigmas=True,
            flow_shift=flow_shift,
        )

    def _call(self, **arguments: Any) -> Any:
        try:
            return self._pipeline(**arguments)
        except BaseException as error:
            # A stopped run leaves components on the device, state in the hooks, and the frames that
            # the VAE has in its hands.
            self._pipeline.maybe_free_model_hooks()
            self._pipeline.vae.clear_cache()
            if isinstance(error, TioMagicError) or not isinstance(error, Exception):
                raise
            raise _translated(error) from error

    def _picture(self, media: Media, settings: Mapping[str, Any]) -> Image.Image:
        """Return a picture in exactly the size of the video, cropped and never stretched."""
        return cover(load_image(media), int(settings["width"]), int(settings["height"]))


def to_pixels(frames: torch.Tensor) -> NDArray[np.uint8]:
    """Return frames as pixels, each rounded and moved to the CPU once.

    Args:
        frames: (T, 3, H, W), float, 0.0-1.0, on any device.

    Returns:
        uint8, (T, H, W, 3), 0-255.

    Raises:
        GenerationError: when a value is not a number.
    """
    count, _, height, width = frames.shape
    pixels = np.empty((count, height, width, 3), dtype=np.uint8)
    for index, frame in enumerate(frames):
        if not bool(torch.isfinite(frame).all()):
            raise GenerationError(
                f"frame {index} has values that are no numbers. The likely causes are a VAE in a "
                "type that overflows (fp16), or damaged weights",
                details={"frame": index},
                code="not_finite",
            )
        rounded = frame.float().mul(255).add_(0.5).clamp_(0, 255).to(torch.uint8)
        pixels[index] = rounded.permute(1, 2, 0).cpu().numpy()
    return pixels


def _translated(error: Exception) -> GenerationError:
    text = str(error)
    short = isinstance(error, torch.OutOfMemoryError) or "out of memory" in text.lower()
    if short or "can't allocate memory" in text:
        return GenerationError(
            "the memory was not enough for this video. Ask for fewer frames or a smaller size, "
            "or keep the weights off the device with memory='model_offload' or "
            "memory='group_offload', or take a smaller model",
            details={"cause": text[:500]},
            code="out_of_memory",
        )
    return GenerationError(
        f"the model stopped: {type(error).__name__}: {text}", details={"cause": text[:500]}
    )
