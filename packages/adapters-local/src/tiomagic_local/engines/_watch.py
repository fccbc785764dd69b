"""Sees how far a running pipeline is, and stops it when it is asked to."""

from __future__ import annotations

from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import torch

from tiomagic_domain.errors import GenerationError
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink


class Watch:
    """Hooks on the parts of a pipeline for the time of one call.

    The pipelines call back after each denoising step and say nothing of the rest, so the text
    encoder, the two halves of the VAE and the transformer are watched by hooks that run before
    their forward pass. All hooks are gone when the block ends.

    Args:
        pipeline: With ``text_encoder``, ``transformer`` and ``vae``.
        steps: Denoising steps of the call.
        chunks: Times that the VAE's decoder will be called.
        progress: Told each moment.
        cancel: Asked at each moment.
    """

    def __init__(
        self, pipeline: Any, *, steps: int, chunks: int, progress: ProgressSink, cancel: CancelToken
    ) -> None:
        self._pipeline = pipeline
        self._steps = steps
        self._chunks = chunks
        self._decoded = 0
        self._denoising = False
        self._progress = progress
        self._cancel = cancel
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        parts: list[tuple[Any, Callable[[], None]]] = [
            (self._pipeline.text_encoder, self._before_encoding),
            (self._pipeline.vae.encoder, self._before_preparing),
            (self._pipeline.transformer, self._before_denoising),
            (self._pipeline.vae.decoder, self._before_decoding),
        ]
        for module, action in parts:
            handle = module.register_forward_pre_hook(_as_hook(action))
            self._handles.append(handle)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for handle in self._handles:
            handle.remove()
        self._handles.clear()

    def on_step_end(
        self, _pipeline: Any, index: int, _timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        """Take the pipeline's word after a denoising step; raises to stop it."""
        self._tell(Phase.DENOISING, index + 1, self._steps)
        if not bool(torch.isfinite(tensors["latents"]).all()):
            raise GenerationError(
                f"the model broke down at step {index + 1} of {self._steps}: its values are no "
                "numbers any more. The likely causes are weights in a type that overflows "
                "(fp16), damaged weights, or an extreme guidance_scale or flow_shift",
                details={"step": index + 1},
                code="not_finite",
            )
        # The pipeline takes the tensors back from here: None would crash it.
        return tensors

    def _before_encoding(self) -> None:
        self._tell(Phase.ENCODING)

    def _before_preparing(self) -> None:
        self._tell(Phase.PREPARING)

    def _before_denoising(self) -> None:
        if self._denoising:
            self._cancel.raise_if_canceled()
            return
        self._denoising = True
        self._tell(Phase.DENOISING, 0, self._steps)

    def _before_decoding(self) -> None:
        # Tiled decoding calls the decoder more often; a count beyond the end helps nobody.
        self._tell(Phase.DECODING, min(self._decoded, self._chunks), self._chunks)
        self._decoded += 1

    def _tell(self, phase: Phase, step: int = 0, steps: int = 0) -> None:
        self._progress(Progress(phase=phase, step=step, steps=steps))
        self._cancel.raise_if_canceled()


def _as_hook(action: Callable[[], None]) -> Callable[..., None]:
    def hook(*_call: Any) -> None:
        action()

    return hook
