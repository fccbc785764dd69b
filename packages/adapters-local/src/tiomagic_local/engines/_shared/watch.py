"""Reports the progress of a running pipeline, and stops it on a cancel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

import torch

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import GenerationError
from tiomagic_domain.progress import CancelToken, Phase, Progress, ProgressSink
from tiomagic_local.preview.drawer import PreviewDrawer


class Watch:
    """Hooks on the parts of a pipeline for the time of one call.

    The pipelines call back after each denoising step and say nothing of the rest, so the text
    encoders, the two halves of the VAE and the transformers are watched by hooks that run before
    their forward pass. All hooks are gone when the block ends.

    Args:
        pipeline: With ``transformer`` and ``vae``.
        steps: Denoising steps of the call, or of each section of it.
        chunks: Calls of the VAE's decoder; 0 when unknown.
        sections: Parts of the video that are made one after the other, each with all steps.
        progress: Gets each event.
        cancel: Checked at each event.
        has_step_callback: False for a pipeline without a callback: then each step of its scheduler
            is one of the call.
        drawer: Draws previews; None for none.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        steps: int,
        progress: ProgressSink,
        cancel: CancelToken,
        chunks: int = 0,
        sections: int = 1,
        has_step_callback: bool = True,
        drawer: PreviewDrawer | None = None,
    ) -> None:
        self._pipeline = pipeline
        self._steps = steps * sections
        self._done = 0
        self._chunks = chunks
        self._decoded = 0
        self._denoising = False
        self._progress = progress
        self._cancel = cancel
        self._calls_back = has_step_callback
        self._drawer = drawer
        self._handles: list[Any] = []

    def __enter__(self) -> Self:
        for module, action in self._parts():
            handle = module.register_forward_pre_hook(_as_hook(action))
            self._handles.append(handle)
        if not self._calls_back:
            self._follow(self._pipeline.scheduler)
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
        if not self._calls_back:
            del self._pipeline.scheduler.step

    def on_step_end(
        self, _pipeline: Any, _index: int, _timestep: Any, tensors: dict[str, Any]
    ) -> dict[str, Any]:
        """Handle the pipeline's callback after a denoising step; raises to stop it."""
        self._step(tensors["latents"])
        # The pipeline takes the tensors back from here: None would crash it.
        return tensors

    def _parts(self) -> Iterator[tuple[Any, Callable[[], None]]]:
        # Some pipelines have several encoders and transformers, and a list of their names nowhere.
        for name, part in self._pipeline.components.items():
            if not isinstance(part, torch.nn.Module):
                continue
            if name.startswith("text_encoder"):
                # Some pipelines call what is within the head for the next word, which calls it too.
                yield getattr(part, "base_model", part), self._before_encoding
            elif name.startswith("transformer"):
                yield part, self._before_denoising
        yield self._pipeline.vae.encoder, self._before_preparing
        yield self._pipeline.vae.decoder, self._before_decoding

    def _follow(self, scheduler: Any) -> None:
        original = scheduler.step

        def step(*given: Any, **rest: Any) -> Any:
            result = original(*given, **rest)
            self._step(result[0])
            return result

        scheduler.step = step

    def _step(self, latents: torch.Tensor) -> None:
        # Counted here: where a video is made in sections, the pipeline starts again at each.
        self._done += 1
        self._tell(Phase.DENOISING, self._done, self._steps)
        if not bool(torch.isfinite(latents).all()):
            raise GenerationError(
                f"the model broke down at step {self._done} of {self._steps}: its values are no "
                "numbers any more. The likely causes are weights in a type that overflows "
                "(fp16), damaged weights, or an extreme guidance_scale or flow_shift",
                details={"step": self._done},
                code=ErrorCode.NOT_FINITE,
            )
        # After the check, which has waited for the device: the picture is there already.
        found = None if self._drawer is None else self._drawer.after_step(self._done, latents)
        if found is not None:
            step = Progress(phase=Phase.DENOISING, step=self._done, steps=self._steps)
            self._progress(replace(step, preview=found.jpeg or None, note=found.reason))

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
        # Tiled decoding calls the decoder more often, so the count stops at the total.
        self._tell(Phase.DECODING, min(self._decoded, self._chunks), self._chunks)
        self._decoded += 1

    def _tell(self, phase: Phase, step: int = 0, steps: int = 0) -> None:
        self._progress(Progress(phase=phase, step=step, steps=steps))
        self._cancel.raise_if_canceled()


def _as_hook(action: Callable[[], None]) -> Callable[..., None]:
    def hook(*_call: Any) -> None:
        action()

    return hook
