"""Applies a call's acceleration options to its pipeline, and removes them afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue.acceleration import EXACT, Acceleration
from tiomagic_local.acceleration import cfg_batching, compilation
from tiomagic_local.acceleration.attention import (
    NATIVE,
    choose_backend,
    require_backend,
    use_backend,
)
from tiomagic_local.acceleration.cfg_batching import CfgBatchingStats
from tiomagic_local.acceleration.channels_last import set_channels_last
from tiomagic_local.acceleration.compilation import compile_blocks
from tiomagic_local.acceleration.components import acceleration_error
from tiomagic_local.acceleration.first_block_cache import CacheStats, enable_first_block_cache
from tiomagic_local.acceleration.flops import estimate_flop
from tiomagic_local.acceleration.fp8 import enable_fp8
from tiomagic_local.acceleration.prompt_cache import PromptCache

if TYPE_CHECKING:
    import torch


@dataclass(slots=True)
class ActiveAcceleration:
    """The active acceleration of one call."""

    wanted: Acceleration
    attention: str = NATIVE
    compiled: list[str] = field(default_factory=list)
    cache: CacheStats | None = None
    guided: CfgBatchingStats | None = None
    fp8_layers: int = 0
    prompts: PromptCache | None = None
    few_steps: Sequence[Mapping[str, Any]] = ()
    """The few-step LoRAs."""

    def facts(self) -> dict[str, Any]:
        """Return the facts for the record; complete when the run is over."""
        facts: dict[str, Any] = {"attention": self.attention, "compiled": self.compiled}
        if self.cache is not None:
            facts["cache"] = self.cache.to_dict()
        if self.fp8_layers:
            facts["fp8_layers"] = self.fp8_layers
        if self.guided is not None and self.guided.batched:
            facts["guidance_batched"] = self.guided.batched
        if self.few_steps:
            facts["few_steps"] = list(self.few_steps)
        if self.prompts is not None:
            facts["prompts_remembered"] = self.prompts.hits
        return facts


class Accelerator:
    """Accelerates one loaded pipeline.

    Args:
        pipeline: Loaded and placed.
        device: What it runs on.
        dtype: Of its transformer.
        masked: True when its attention has a mask.
    """

    def __init__(
        self, pipeline: Any, *, device: torch.device, dtype: torch.dtype, masked: bool
    ) -> None:
        self._pipeline = pipeline
        self._device = device
        self._dtype = dtype
        self._masked = masked
        self._prompts = PromptCache()
        # Permanent, so that a run does not depend on earlier ones. Not on a CPU, where it selects
        # another algorithm, whose results differ from diffusers'.
        if device.type == "cuda":
            set_channels_last(pipeline.vae)

    @contextlib.contextmanager
    def activate(
        self, settings: Mapping[str, Any], *, adapted: bool, together: bool = False
    ) -> Iterator[ActiveAcceleration]:
        """Apply the options within the block.

        Args:
            settings: Of the call; without ``acceleration`` it is exact.
            adapted: True when the call has LoRAs of its own: then nothing is compiled unless
                requested, because the next call would have to compile again.
            together: True when several devices make the video. Nothing is compiled then.

        Yields:
            The active options; their facts are complete when the block ends.

        Raises:
            ValidationError: when a requested option does not work here.
        """
        wanted = Acceleration.from_argument(settings.get("acceleration", EXACT))
        running = ActiveAcceleration(wanted)
        with contextlib.ExitStack() as stack:
            running.attention = self._attention(wanted, together=together)
            stack.enter_context(use_backend(running.attention))
            if wanted.remember_prompts:
                running.prompts = self._prompts
                stack.enter_context(self._prompts.activate(self._pipeline))
            if wanted.fp8:
                layers = enable_fp8(self._pipeline, self._device)
                running.fp8_layers = stack.enter_context(layers)
            compiles = self._compiles(wanted, settings, adapted=adapted, together=together)
            if compiles:
                running.compiled = stack.enter_context(compile_blocks(self._pipeline))
            if wanted.cache_threshold:
                steps = int(settings.get("num_inference_steps", 0))
                threshold = wanted.cache_threshold
                cache = enable_first_block_cache(
                    self._pipeline, threshold, steps, _summed() if together else None
                )
                running.cache = stack.enter_context(cache)
            if self._batches(wanted, settings, compiles=compiles):
                running.guided = stack.enter_context(
                    cfg_batching.batch_guidance_passes(self._pipeline)
                )
            yield running

    def _attention(self, wanted: Acceleration, *, together: bool) -> str:
        here = self._device, self._dtype
        if wanted.attention == "auto":
            return choose_backend(*here, masked=self._masked, together=together)
        return require_backend(wanted.attention, *here, masked=self._masked, together=together)

    def _compiles(
        self, wanted: Acceleration, settings: Mapping[str, Any], *, adapted: bool, together: bool
    ) -> bool:
        if together:
            if wanted.compile == "on":
                raise acceleration_error(
                    "compile 'on' does not go together with several devices; leave it out",
                    given="on",
                )
            return False
        if wanted.compile != "auto":
            return wanted.compile == "on"
        if adapted or self._device.type != "cuda":
            return False
        work = estimate_flop(self._pipeline, settings)
        return compilation.is_compiling_worthwhile(
            self._device, None if work is None else work.flop
        )

    def _batches(
        self, wanted: Acceleration, settings: Mapping[str, Any], *, compiles: bool
    ) -> bool:
        """Return whether both passes of a step run as one batch.

        Not with a first-block cache, which stores its state for each pass separately.
        """
        if wanted.batch_guidance == "off" or wanted.cache_threshold:
            return False
        if wanted.batch_guidance == "on":
            cfg_batching.require(self._pipeline)
            return True
        if compiles or not cfg_batching.batchable_transformers(self._pipeline):
            return False
        work = estimate_flop(self._pipeline, settings)
        return cfg_batching.is_batching_worthwhile(
            self._device, None if work is None else work.tokens
        )


def _summed() -> Callable[[torch.Tensor], torch.Tensor]:
    from tiomagic_local.context_parallel.process_group import sum_over_ranks

    return sum_over_ranks
