"""Makes clips with settings for speed, and watches what runs meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Self

import numpy as np
from tests.tiny import save

from tiomagic_domain.errors import GenerationCanceledError
from tiomagic_domain.features import Feature
from tiomagic_domain.progress import NeverCanceled, Progress, ignore_progress
from tiomagic_local.runtime.pipeline_cache import Runtime

if TYPE_CHECKING:
    import torch
    from tests.local.materials import Materials

SIZES = {
    "cogvideox-2b": {"width": 16, "height": 16, "num_frames": 9},
    "ltx-video": {"num_frames": 9},
}


class SpeedRunner:
    """Makes clips on one runtime."""

    def __init__(self, runtime: Runtime, studio: Materials) -> None:
        self.runtime, self.studio = runtime, studio
        self.facts: dict[str, Any] = {}
        self.pipeline: Any = None
        self.media: dict[str, tuple[str, ...]] = {}
        """Inputs of models whose feature has others than usual."""

    def make(
        self,
        model: str = "wan2.1-t2v-1.3b",
        feature: Feature = Feature.TEXT_TO_VIDEO,
        *,
        prompt: str = "a fox",
        cancel: Any = None,
        progress: Callable[[Progress], None] = ignore_progress,
        **changes: Any,
    ) -> np.ndarray:
        """Return the frames of a small call."""
        if self.folder is not None:
            save(self.folder, [model])
        changes = {"num_inference_steps": 2, **SIZES.get(model, {}), **changes}
        acceleration = changes.pop("acceleration", None)
        media = {
            name: self.studio.video() if name.endswith("video") else self.studio.picture()
            for name in self.media.get(model, ())
        }
        given = {"media": media} if media else {}
        request = self.studio.request(model, feature, prompt=prompt, **given, **changes)
        settings = dict(request.settings)
        if acceleration is not None:
            settings["acceleration"] = acceleration
        token = cancel or NeverCanceled()
        with self.runtime.use(request.card, settings, ignore_progress, token) as loaded:
            self.pipeline = loaded.engine._pipeline
            run = getattr(loaded.engine, feature.value)
            frames = np.asarray(run(request.inputs, settings, progress, token).frames)
        self.facts = loaded.running.facts()
        return frames

    @property
    def folder(self) -> Any:
        """Where the tiny weights lie; None for a desk with the model that comes along."""
        return self.runtime.options.weights_dir


class CallCounter:
    """Counts the calls of a module while it is watched."""

    def __init__(self, module: torch.nn.Module) -> None:
        self.count = 0
        self._handle = module.register_forward_hook(self._add)

    def _add(self, *_call: Any) -> None:
        self.count += 1

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._handle.remove()


class StopsAt:
    """Stops a run at a step."""

    def __init__(self, step: int) -> None:
        self._step, self._reached = step, False

    def __call__(self, progress: Progress) -> None:
        self._reached = self._reached or progress.step >= self._step

    def is_canceled(self) -> bool:
        """Return whether the step is there."""
        return self._reached

    def raise_if_canceled(self) -> None:
        """Raise when the step is there."""
        if self._reached:
            raise GenerationCanceledError("stopped")
