"""What the engines over a modular pipeline share: the call, its steps, its guidance.

An engine over one is a :class:`PipelineEngine` in all else, with the same methods to override. The
steps are seen at the scheduler, whose next step is also where a cancel ends the run; a call gets a
scheduler and a guider of its own, so that nothing of a stopped one is left in them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from tiomagic_local.engines._shared.pipeline import PipelineEngine
from tiomagic_local.modular.blocks import quiet_blocks
from tiomagic_local.modular.placement import release_networks
from tiomagic_local.torch_env.quiet import silence_libraries

if TYPE_CHECKING:
    import numpy as np
    import torch
    from numpy.typing import NDArray

GUIDER = "guider"


class ModularEngine(PipelineEngine):
    """Calls a modular pipeline."""

    has_step_callback = False
    output: ClassVar[str] = "videos"
    """The name of what the pipeline is asked for."""
    consumed_settings: ClassVar[frozenset[str]] = PipelineEngine.consumed_settings | {
        "flow_shift",
        # The guider has it, and the length comes with the conditions or in another name.
        *("guidance_scale", "num_frames"),
    }

    def _set_up(self, settings: Mapping[str, Any]) -> None:
        super()._set_up(settings)
        guider = getattr(self._pipeline, GUIDER, None)
        if guider is not None:
            scale = float(settings.get("guidance_scale", 1.0))
            # The library says of every guider that it is experimental.
            with silence_libraries():
                self._pipeline.guider = guider.new(guidance_scale=scale)

    def _scheduler(self, settings: Mapping[str, Any]) -> Any:
        shipped = self._pipeline.scheduler
        shift = settings.get("flow_shift")
        # Each kind of scheduler has its own word for it.
        names = [name for name in ("flow_shift", "shift") if name in shipped.config]
        given = {} if shift is None else dict.fromkeys(names[:1], float(shift))
        return type(shipped).from_config(shipped.config, **given)

    def _arguments(self, prompt: str, settings: Mapping[str, Any]) -> dict[str, Any]:
        return super()._arguments(prompt, settings) | {"output": self.output}

    @contextmanager
    def _collect(self, settings: Mapping[str, Any]) -> Iterator[Callable[[Any], Any]]:
        with quiet_blocks(self._pipeline), super()._collect(settings) as collect:
            yield collect

    def _frames(self, output: Any, settings: Mapping[str, Any]) -> torch.Tensor | NDArray[np.uint8]:
        del settings
        frames: torch.Tensor = output[0]
        return frames

    def _clean(self) -> None:
        release_networks(self._pipeline)
        cleared = getattr(self._pipeline.vae, "clear_cache", None)
        if cleared is not None:
            # The frames that the VAE has in its hands.
            cleared()
