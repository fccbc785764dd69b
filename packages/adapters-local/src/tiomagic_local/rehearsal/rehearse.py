"""Runs a rehearsal: all checks in order, then the pipeline with random weights."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome, Rehearsal
from tiomagic_domain.progress import NeverCanceled, ProgressSink, ignore_progress
from tiomagic_local.options import LocalOptions

RUN = "run"
MARGIN_GIB = 1.0
"""Memory that stays free beside random weights."""


def rehearse(
    model: str,
    options: LocalOptions,
    *,
    provider: str = "local",
    progress: ProgressSink = ignore_progress,
    settings: Mapping[str, Any] | None = None,
) -> Rehearsal:
    """Check all that a real run needs, and run the model with random weights.

    Args:
        model: Its name.
        options: With the source of weights and the device.
        provider: Its name, for the result.
        progress: Gets the phases of the run.
        settings: Of the run that is meant, beside the model's defaults, for its memory.

    Raises:
        UnknownModelError: when there is no such model.
        MissingDependencyError, ConfigurationError: when no model can run here.
    """
    card = find_model(model)
    staged = _Stage(card, options, progress, settings or {})
    checks = list(staged.checks())
    return Rehearsal(model=card.name, provider=provider, checks=checks, needs=staged.needs)


class _Stage:
    """One rehearsal."""

    def __init__(
        self,
        card: ModelCard,
        options: LocalOptions,
        progress: ProgressSink,
        settings: Mapping[str, Any],
    ) -> None:
        self._card, self._options, self._progress = card, options, progress
        self._settings = settings
        self.needs: dict[str, Any] = {}

    def checks(self) -> Iterator[Check]:
        """Give what was found."""
        from tiomagic_local.engines import find_engine
        from tiomagic_local.rehearsal.file_checks import FileChecks
        from tiomagic_local.rehearsal.memory_checks import MemoryChecks
        from tiomagic_local.rehearsal.smallest import feature_of
        from tiomagic_local.torch_env.devices import choose_device, choose_dtype, describe_device
        from tiomagic_local.weights.given_files import find_file_sizes

        device = choose_device(self._options.device)
        dtype = choose_dtype(self._card, device)
        word = f"{describe_device(device)}, {str(dtype).removeprefix('torch.')}"
        yield Check(part="device", outcome=CheckOutcome.OK, message=word)
        engine = find_engine(self._card.engine)
        files = FileChecks(self._card, self._options, pipeline=engine.pipeline)
        found = list(files.checks())
        yield from found
        memory = MemoryChecks(
            self._card,
            feature_of(self._card),
            device,
            halves=dtype.itemsize == 2,
            settings=self._settings,
            files=find_file_sizes(self._card, self._settings, self._options),
        )
        yield from memory.checks()
        self.needs |= memory.needs()
        if files.found.download_gib is not None:
            self.needs["download_gib"] = round(files.found.download_gib, 2)
        if any(check.outcome is CheckOutcome.PROBLEM and check.part == "files" for check in found):
            yield from self._in_shapes_alone("the files are not all there")
        else:
            yield from self._run(files.found, engine, device, dtype)

    def _run(self, found: Any, engine: Any, device: Any, dtype: Any) -> Iterator[Check]:
        if found.weights is None:
            yield from self._in_shapes_alone("its configuration cannot be had")
            return
        from tiomagic_local.rehearsal.stand_in import StandIn

        stand_in = StandIn(found.weights, found.networks, fp32=engine.fp32, dtype=dtype)
        try:
            gib = stand_in.gib()
            plan = _plan(gib, device)
            if plan is None:
                why = f"{sum(gib.values()):.1f} GiB of random weights do not fit here"
                yield from self._in_shapes_alone(why)
                return
            yield self._with_random_weights(stand_in, engine, device, plan)
        except TioMagicError as error:
            yield Check(part=RUN, outcome=CheckOutcome.PROBLEM, message=error.message)
        # Any exception of the pipeline would end a real run too, so it is the finding.
        except Exception as error:  # noqa: BLE001
            text = f"the pipeline does not run: {type(error).__name__}: {error}"
            yield Check(part=RUN, outcome=CheckOutcome.PROBLEM, message=text[:500])

    def _with_random_weights(self, stand_in: Any, engine: Any, device: Any, plan: Any) -> Check:
        from tiomagic_local.rehearsal.smallest import feature_of, inputs_of, settings_of
        from tiomagic_local.torch_env.devices import measure_peak_memory, release_memory

        feature = feature_of(self._card)
        settings = settings_of(self._card, feature)
        with tempfile.TemporaryDirectory(prefix="tiomagic-rehearsal-") as folder:
            inputs = inputs_of(self._card, feature, settings, Path(folder))
            made = engine(stand_in.pipeline(engine, device=device, plan=plan), self._card)
            begin = time.monotonic()
            with measure_peak_memory(device) as peak:
                clip = getattr(made, feature.value)(
                    inputs, settings, self._progress, NeverCanceled()
                )
            took = time.monotonic() - begin
        del made
        release_memory(device)
        frames, height, width, _ = clip.frames.shape
        steps = settings.get("num_inference_steps")
        text = (
            f"{feature.value} with random weights: {frames} frames of {width}x{height} in {steps} "
            f"steps, {took:.1f} s on {device} ({plan})"
        )
        if peak.gib is not None:
            text += f", {peak.gib:.1f} GiB at the peak"
        return Check(part=RUN, outcome=CheckOutcome.OK, message=text)

    def _in_shapes_alone(self, why: str) -> Iterator[Check]:
        """Run a step and a decoding on the meta device, without values."""
        from tiomagic_local.footprint import architectures
        from tiomagic_local.footprint.phases import Modules, Size, decode_bytes, denoise_bytes
        from tiomagic_local.rehearsal.smallest import feature_of, settings_of

        if self._card.name not in architectures.list_architectures():
            text = f"not run: {why}, and its shapes are not among those that come along"
            yield Check(part=RUN, outcome=CheckOutcome.WARNING, message=text)
            return
        settings = settings_of(self._card, feature_of(self._card))
        size = Size(
            width=settings.get("width", 256),
            height=settings.get("height", 256),
            frames=settings.get("num_frames", 49),
        )
        modules = Modules(self._card.name)
        denoise_bytes(modules, size, words=self._card.prompt_tokens, guided=False)
        decode_bytes(modules, size)
        text = (
            f"{why}; a step and a decoding of the published shapes were run on the meta device, "
            "which has no values"
        )
        yield Check(part=RUN, outcome=CheckOutcome.NOTE, message=text)


def _plan(gib: dict[str, float], device: Any) -> Any:
    """Return the device that random weights fit on; None for none."""
    from tiomagic_local.memory.plans import MemoryPlan
    from tiomagic_local.torch_env.devices import free_memory_gib
    from tiomagic_local.torch_env.main_memory import free_main_memory_gib

    free, main = free_memory_gib(device), free_main_memory_gib()
    total, largest = sum(gib.values()), max(gib.values(), default=0.0)
    if free is not None and total + MARGIN_GIB <= free:
        return MemoryPlan.RESIDENT
    if main is not None and total + (MARGIN_GIB if total > MARGIN_GIB else 0) > main:
        return None
    if free is None:
        return MemoryPlan.RESIDENT
    return MemoryPlan.MODEL_OFFLOAD if largest + MARGIN_GIB <= free else MemoryPlan.GROUP_OFFLOAD
