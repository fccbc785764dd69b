"""Where the parts of a model come from, and loading them, before a run gets the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.progress import Phase, Progress, ProgressSink
from tiomagic_local.engines import EngineOptions, find_engine
from tiomagic_local.memory.choosing import MemoryChoice
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.runtime.component_reuse import Identity
from tiomagic_local.torch_env.imports import pause_garbage_collection
from tiomagic_local.weights.locate import Weights

if TYPE_CHECKING:
    import torch

    from tiomagic_local.runtime.quantized_parts import QuantizedParts


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelSources:
    """The sources of a model."""

    engine: Any
    """The class of its engine."""
    weights: Weights
    dtype: torch.dtype
    identities: Mapping[str, Identity]
    """Of its text encoders."""
    kept: Mapping[str, torch.nn.Module]
    """Those of the model before that are its own as well."""


def import_engine(card: ModelCard) -> Any:
    """Return the class of a model's engine, with all that loading takes imported."""
    with pause_garbage_collection():
        import diffusers

        engine = find_engine(card.engine)
        # It imports what it names when it is asked for it.
        getattr(diffusers, engine.pipeline)
    return engine


def load_from_sources(
    found: ModelSources,
    *,
    device: torch.device,
    choice: MemoryChoice,
    quantized: QuantizedParts | None,
) -> Any:
    """Return the pipeline of a model on its device, as the memory plan has it.

    Args:
        found: Its sources.
        device: Where it runs.
        choice: The memory plan.
        quantized: Loads components in fewer bits, or leaves them in files; None for neither.
    """
    import torch

    from tiomagic_local.runtime.loader import load_pipeline, translate_loading_errors

    engine, weights, dtype = found.engine, found.weights, found.dtype
    # What is in main memory already would not leave it.
    loaded = {} if choice.plan is MemoryPlan.DISK_OFFLOAD else found.kept
    if quantized:
        types = dict.fromkeys(engine.fp32, torch.float32)
        with translate_loading_errors(weights):
            loaded = quantized.load(weights, types, dtype)
    return load_pipeline(
        weights,
        pipeline=engine.pipeline,
        fp32=engine.fp32,
        dtype=dtype,
        device=device,
        plan=choice.plan,
        components=EngineOptions.of(engine).components,
        loaded=loaded,
    )


def choose_quantized_parts(choice: MemoryChoice, progress: ProgressSink) -> QuantizedParts | None:
    """Return what loads components in fewer bits, or leaves them in files; None for none."""
    from_files = choice.plan is MemoryPlan.DISK_OFFLOAD
    if not choice.quantization and not from_files:
        return None
    from tiomagic_local.quantized.made_cache import made_weights_folder
    from tiomagic_local.runtime.quantized_parts import QuantizedParts

    def say(text: str) -> None:
        progress(Progress(phase=Phase.LOADING, note=text))

    return QuantizedParts(
        choice.quantization, cache=made_weights_folder(), say=say, from_files=from_files
    )


def describe_model(
    device: torch.device, dtype: torch.dtype, choice: MemoryChoice, weights: Weights
) -> dict[str, Any]:
    """Return the facts of a job that the model has, before any LoRA."""
    from tiomagic_local.torch_env.devices import describe_device

    return {
        "device": describe_device(device),
        "dtype": str(dtype).removeprefix("torch."),
        "memory": choice.to_dict(),
        "weights": weights.facts(),
    }
