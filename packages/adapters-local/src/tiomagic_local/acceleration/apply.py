"""Applies a call's acceleration options to its pipeline, and removes them afterwards."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue.acceleration import EXACT, Acceleration
from tiomagic_local.acceleration import cfg_batching, compilation
from tiomagic_local.acceleration.attention import (
    check_attention,
    choose_backend,
    require_backend,
    use_backend,
)
from tiomagic_local.acceleration.cfg_batching import CfgBatchingStats
from tiomagic_local.acceleration.channels_last import set_channels_last
from tiomagic_local.acceleration.compilation import compile_blocks
from tiomagic_local.acceleration.components import acceleration_error
from tiomagic_local.acceleration.flops import estimate_flop
from tiomagic_local.acceleration.fp8 import enable_fp8
from tiomagic_local.acceleration.kernels import NATIVE, is_exact
from tiomagic_local.acceleration.prompt_cache import PromptCache
from tiomagic_local.acceleration.step_caches.activate import CacheStats, enable_step_cache
from tiomagic_local.acceleration.step_caches.choosing import check_caches, choose_cache
from tiomagic_local.acceleration.step_caches.clock import StepClock
from tiomagic_local.acceleration.step_caches.kinds import CacheRun
from tiomagic_local.acceleration.step_caches.magnitudes import find_curves

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
        if not is_exact(self.attention):
            facts["attention_inexact"] = True
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
        model: Its name, which its calibration has.
    """

    def __init__(
        self,
        pipeline: Any,
        *,
        device: torch.device,
        dtype: torch.dtype,
        masked: bool,
        model: str = "",
    ) -> None:
        self._pipeline = pipeline
        self._device = device
        self._dtype = dtype
        self._masked = masked
        self._model = model
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
            if caches := wanted.step_caches():
                run = CacheRun(
                    level=0.0,
                    steps=int(settings.get("num_inference_steps", 0)),
                    clock=StepClock(),
                    summed=_summed() if together else None,
                    adapted=adapted,
                    model=self._model,
                    curves=find_curves(self._model),
                )
                kind, run, instead = choose_cache(self._pipeline, caches, run)
                running.cache = stack.enter_context(enable_step_cache(self._pipeline, kind, run))
                running.cache.instead = instead
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

        Not with a step cache, which stores its state for each pass separately.
        """
        if wanted.batch_guidance == "off" or wanted.step_caches():
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


def check_acceleration(
    model: str, settings: Mapping[str, Any], device: torch.device, *, masked: bool
) -> None:
    """Raise for options that cannot work here, before anything is loaded.

    Args:
        model: Its name.
        settings: Of the call.
        device: What it will run on.
        masked: True for a model whose attention has a mask.

    Raises:
        ValidationError: with the reason, and what works.
    """
    wanted = Acceleration.from_argument(settings.get("acceleration", EXACT))
    check_attention(wanted.attention, device, masked=masked)
    check_caches(wanted.step_caches(), model)


def _summed() -> Callable[[torch.Tensor], torch.Tensor]:
    from tiomagic_local.context_parallel.process_group import sum_over_ranks

    return sum_over_ranks
