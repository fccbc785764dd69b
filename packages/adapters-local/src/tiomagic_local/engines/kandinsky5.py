"""Kandinsky 5.0: a video from words, which a large model for words and pictures reads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from transformers import AutoTokenizer, ProcessorMixin

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.features import TextToVideoInputs
from tiomagic_domain.media import Clip
from tiomagic_domain.progress import CancelToken, ProgressSink
from tiomagic_local.engines._pipeline import PipelineEngine


class WordsOnly(ProcessorMixin):  # type: ignore[misc]  # transformers has no types here.
    """Prepares words for Qwen2.5-VL.

    The processor that the repository names prepares pictures and videos too, for which it wants
    torchvision, and the pipeline gives it none.
    """

    def __init__(self, tokenizer: Any) -> None:
        super().__init__(tokenizer)


class Kandinsky5(PipelineEngine):
    """Runs ``Kandinsky5T2VPipeline``."""

    pipeline = "Kandinsky5T2VPipeline"
    # In fp16 the VAE may overflow, in bf16 it shows bands.
    fp32: ClassVar[tuple[str, ...]] = ("vae",)
    masked = False
    ours: ClassVar[frozenset[str]] = PipelineEngine.ours | {"flow_shift"}

    def __init__(self, pipeline: Any, card: ModelCard) -> None:
        super().__init__(pipeline, card)
        # Five seconds are too many for one piece.
        pipeline.vae.enable_tiling()

    @classmethod
    def components(cls, folder: Path) -> dict[str, Any]:
        """Return the components that are not loaded as the repository says."""
        tokenizer = AutoTokenizer.from_pretrained(folder / "tokenizer", local_files_only=True)
        return {"tokenizer": WordsOnly(tokenizer)}

    def text_to_video(
        self,
        inputs: TextToVideoInputs,
        settings: Mapping[str, Any],
        progress: ProgressSink,
        cancel: CancelToken,
    ) -> Clip:
        """Make a clip, as the port ``TextToVideo`` says."""
        return self._generate(inputs.prompt, settings, progress, cancel, {})

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        shipped = self._pipeline.scheduler
        return type(shipped).from_config(shipped.config, shift=float(settings["flow_shift"]))

    def _tokenizer(self) -> Any:
        return self._pipeline.tokenizer.tokenizer


ENGINE = Kandinsky5
