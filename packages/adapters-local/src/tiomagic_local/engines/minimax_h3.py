"""MiniMax H3: a video and its sound in one go, from words, from a picture, or up to one.

The transformer reads one row of tokens: the words, the pictures, the sound and the video. Two
schedulers step the video and the sound, in the same run of the transformer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from transformers import AutoTokenizer, ProcessorMixin, Qwen2VLImageProcessorPil

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import Feature, Inputs, InterpolateInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._shared.modular import ModularEngine
from tiomagic_local.engines._shared.pipeline import Conditions, cut_text, end_pictures
from tiomagic_local.engines._shared.sound import to_samples

if TYPE_CHECKING:
    import torch

OUTPUTS = ("videos", "audio", "sampling_rate")


class PictureProcessor(ProcessorMixin):  # type: ignore[misc]  # transformers has no types here.
    """Prepares pictures for Qwen3-VL, and tells their tokens from those of words.

    The processor that the repository names prepares videos too, for which it wants torchvision.
    This model is given none; pictures are prepared with Pillow, by the same rules.
    """

    def __init__(self, image_processor: Any, tokenizer: Any) -> None:
        super().__init__(image_processor, tokenizer)
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = tokenizer.convert_tokens_to_ids(self.image_token)
        self.video_token_id = tokenizer.convert_tokens_to_ids(self.video_token)


class MiniMaxH3(ModularEngine):
    """Runs ``MiniMaxH3ModularPipeline`` without references."""

    pipeline = "MiniMaxH3ModularPipeline"
    features: ClassVar[tuple[Feature, ...]] = (
        Feature.TEXT_TO_VIDEO,
        Feature.IMAGE_TO_VIDEO,
        Feature.INTERPOLATE,
    )
    # The authors keep both in fp32.
    fp32: ClassVar[tuple[str, ...]] = ("vae", "audio_vae")
    masked = False
    # The pipeline reads any length; what is too long is cut here.
    limit_argument: ClassVar[str | None] = None
    consumed_settings: ClassVar[frozenset[str]] = ModularEngine.consumed_settings - {"num_frames"}

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # The authors' tiles are part of how their frames look.
        pipeline.vae.enable_tiling()

    @classmethod
    def components(cls, folder: Path) -> dict[str, Any]:
        """Return the components that are not loaded as the repository says."""
        local = {"local_files_only": True}
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", **local)
        pictures = Qwen2VLImageProcessorPil.from_pretrained(folder / "processor", **local)
        return {"processor": PictureProcessor(pictures, tokenizer)}

    def _conditions(
        self,
        inputs: Inputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Conditions:
        del progress, cancel
        if isinstance(inputs, InterpolateInputs):
            ends = {"image": inputs.first_frame, "last_image": inputs.last_frame}
        else:
            ends = dict(zip(("image",), end_pictures(inputs), strict=False))
        return Conditions(
            {
                name: self._picture(media, settings)
                for name, media in ends.items()
                if media is not None
            }
        )

    def _set_up(self, settings: Mapping[str, Any]) -> None:
        super()._set_up(settings)
        shipped = self._pipeline.audio_scheduler
        self._pipeline.audio_scheduler = type(shipped).from_config(shipped.config)

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        return super()._arguments(self._read(prompt), settings) | {
            "output": list(OUTPUTS),
            # The pipeline counts the points between which the steps are.
            "num_inference_steps": int(settings["num_inference_steps"]) + 1,
        }

    def _read(self, prompt: str) -> str:
        """Return what of a prompt is read."""
        tokenizer, limit = self._tokenizer(), self._card.prompt_tokens
        if len(tokenizer(prompt).input_ids) <= limit:
            return prompt
        return prompt[: prompt.rindex(cut_text(tokenizer, prompt, limit))]

    def _chunks(self, settings: Mapping[str, Any]) -> int:
        vae = self._pipeline.vae
        pieces = [int(settings["num_frames"]) // int(vae.config.clip_length)]
        for side in ("height", "width"):
            size = getattr(vae, f"tile_sample_min_{side}")
            overlap = getattr(vae, f"tile_sample_min_overlap_{side}")
            pieces.append(max(math.ceil((int(settings[side]) - overlap) / (size - overlap)), 1))
        return math.prod(pieces)

    def _latent_frames(self, latents: torch.Tensor, settings: Mapping[str, Any]) -> torch.Tensor:
        # Rows of tokens; each has a patch of a latent frame, by channels, rows and columns.
        pipeline = self._pipeline
        multiple, (_, rows, columns) = pipeline.canvas_multiple, pipeline.patch_size
        height, width = (int(settings[side]) // multiple for side in ("height", "width"))
        patches = latents.reshape(-1, height, width, pipeline.vae_latent_channels, rows, columns)
        return patches.permute(3, 0, 1, 4, 2, 5).reshape(
            pipeline.vae_latent_channels, -1, height * rows, width * columns
        )

    def _clip(self, output: Any, prompt: str, settings: Mapping[str, Any]) -> Clip:
        clip = super()._clip(output["videos"], prompt, settings)
        audio, rate = to_samples(output["audio"][0]), int(output["sampling_rate"])
        return replace(clip, audio=audio, audio_rate=rate)


ENGINE = MiniMaxH3
