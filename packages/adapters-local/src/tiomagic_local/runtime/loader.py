"""Loads a pipeline from a folder of weights and places it on its device."""

from __future__ import annotations

import contextlib
import importlib
from collections import Counter
from collections.abc import Callable, Collection, Container, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch

from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_local.checkpoint.folders import build_empty, check_component
from tiomagic_local.checkpoint.pipeline_index import is_modular, read_index
from tiomagic_local.checkpoint.variants import variant_of
from tiomagic_local.component_files.kinds import find_class
from tiomagic_local.component_files.single_file import load_file
from tiomagic_local.memory.plans import MemoryPlan
from tiomagic_local.modular.loading import load_modular
from tiomagic_local.modular.placement import VAE, networks, offload_blocks, offload_whole
from tiomagic_local.read_ahead import read_ahead
from tiomagic_local.torch_env.quiet import silence_libraries
from tiomagic_local.weights.locate import PartWeights, Weights

FEW = 0.1
"""A part of a component's bytes that is cheaper to copy than to keep in its files."""


def load_pipeline(
    weights: Weights,
    *,
    pipeline: str,
    fp32: tuple[str, ...],
    dtype: torch.dtype,
    device: torch.device,
    plan: MemoryPlan,
    components: Callable[[Path], Mapping[str, Any]] | None = None,
    loaded: Mapping[str, torch.nn.Module] | None = None,
) -> Any:
    """Load a pipeline and place it by the memory plan.

    Args:
        weights: Checked to be for this pipeline.
        pipeline: Name of the class in diffusers.
        fp32: Components that stay in fp32.
        dtype: Type of all others.
        device: Where it is to run.
        plan: The memory plan.
        components: Takes the folder and loads the components that need other code.
        loaded: Components that are in memory already, instead of those in the folder.

    Raises:
        ConfigurationError: when the files are damaged or incomplete.
    """
    import diffusers

    types = {"default": dtype} | dict.fromkeys(fp32, torch.float32)
    here = dict(loaded or {})
    with silence_libraries(), _shards_in_parallel():
        with translate_loading_errors(weights):
            parts = here | _parts(weights, types, dtype, without=here)
            parts |= _not_there(weights, getattr(diffusers, pipeline), without=parts)
            if components is not None:
                parts |= components(weights.folder)
            with _lacking_named(weights, without=here):
                kind, straight = getattr(diffusers, pipeline), _straight_to(device, plan)
                made = _from_folder(kind, weights, types, straight, parts)
            _check_whole(made, weights, without=here)
        for part in networks(made).values():
            close_files(part)
        if plan is not MemoryPlan.RESIDENT:
            # Offloaded weights must not be on the device before: they would stay there.
            for part in here.values():
                part.to("cpu")
        _place(made, plan, device)
    made.set_progress_bar_config(disable=True)
    return made


def _from_folder(
    kind: Any,
    weights: Weights,
    types: Mapping[str, torch.dtype],
    straight: Mapping[str, str],
    parts: Mapping[str, Any],
) -> Any:
    """Return a pipeline of a class; code from a repository is never run."""
    folder = weights.folder
    if is_modular(kind.__name__):
        return load_modular(
            kind,
            folder,
            types=types,
            components=parts,
            straight=straight,
            without=weights.without,
        )
    return kind.from_pretrained(
        folder,
        dtype=types,
        use_safetensors=True,
        local_files_only=True,
        trust_remote_code=False,
        **straight,
        **parts,
    )


@contextlib.contextmanager
def _shards_in_parallel() -> Iterator[None]:
    """Let diffusers read the files of a model in parallel, as transformers does by default.

    One reader does not use the full speed of a network volume or a disk array. The library reads
    its variable once, when it is imported, which may be long ago.
    """
    from diffusers.models import modeling_utils

    before = modeling_utils.HF_ENABLE_PARALLEL_LOADING
    modeling_utils.HF_ENABLE_PARALLEL_LOADING = True
    try:
        yield
    finally:
        modeling_utils.HF_ENABLE_PARALLEL_LOADING = before


@contextlib.contextmanager
def translate_loading_errors(weights: Weights) -> Iterator[None]:
    """Translate the libraries' errors about damaged or missing files.

    Raises:
        ConfigurationError: with the weights and the first line of the error.
    """
    try:
        yield
    except TioMagicError:
        # Some of ours are a ValueError as well, and say what is wrong already.
        raise
    except (OSError, ValueError, RuntimeError, KeyError, TypeError) as error:
        raise _damaged(error, weights) from error
    except Exception as error:
        # The safetensors reader has an exception of its own that inherits from nothing else.
        if type(error).__module__.partition(".")[0].startswith("safetensors"):
            raise _damaged(error, weights) from error
        raise


def _parts(
    weights: Weights,
    types: Mapping[str, torch.dtype],
    dtype: torch.dtype,
    *,
    without: Collection[str],
) -> dict[str, Any]:
    """Load the components that do not come from the folder of the pipeline."""
    parts = {
        found.part.name: _load_part(found, types.get(found.part.name, dtype))
        for found in weights.parts
        if found.part.name not in weights.given and found.part.name not in without
    }
    parts |= {
        name: _from_one_file(name, weights, types.get(name, dtype))
        for name in weights.given
        if name not in without
    }
    return parts | _variants(weights, types, dtype, without={*parts, *without})


def _variants(
    weights: Weights, types: Mapping[str, torch.dtype], dtype: torch.dtype, *, without: set[str]
) -> dict[str, Any]:
    """Load the components that the folder has only in a variant, such as ``fp16``."""
    parts = {}
    for name, said in read_index(weights.folder).items():
        folder = weights.folder / name
        if name in without or not isinstance(said, list) or None in said or not folder.is_dir():
            continue
        variant = variant_of(folder)
        if variant is not None:
            kind = getattr(importlib.import_module(said[0]), said[1])
            given = {"dtype": types.get(name, dtype), "use_safetensors": True, "variant": variant}
            parts[name] = kind.from_pretrained(folder, local_files_only=True, **given)
    return parts


def _not_there(weights: Weights, kind: Any, *, without: Collection[str]) -> dict[str, None]:
    """Return nothing for each component that a pipeline can do without and the folder lacks.

    A network has to be unused by the model: diffusers calls Wan's transformers and image
    encoder optional, and a folder that lacks what its index names is an interrupted download.
    """
    # A modular pipeline has no such list: its blocks say what they need.
    optional = set(getattr(kind, "_optional_components", ())).difference(without)
    return {
        name: None
        for name, said in read_index(weights.folder).items()
        if name in optional
        and not (weights.folder / name).is_dir()
        and (name in weights.without or not _is_network(said))
    }


def _is_network(said: Any) -> bool:
    """Return whether the library and class that an index names for a component are of weights.

    Nothing else is imported because a file names it.
    """
    library, name = said
    if library not in {"diffusers", "transformers"}:
        return False
    kind = getattr(importlib.import_module(library), name, None)
    return kind is not None and issubclass(kind, torch.nn.Module)


@contextlib.contextmanager
def _lacking_named(weights: Weights, *, without: Container[str]) -> Iterator[None]:
    """Name the missing tensors, where the library fails without naming them."""
    try:
        yield
    except RuntimeError as error:
        if "meta tensor" not in str(error):
            raise
        for name, said in read_index(weights.folder).items():
            folder = weights.folder / name
            if isinstance(said, list) and said[0] == "diffusers" and folder.is_dir():
                kind = getattr(importlib.import_module("diffusers"), said[1])
                if name not in without and hasattr(kind, "load_config"):
                    _check_empty(kind, folder)
        raise


def _check_empty(kind: Any, folder: Path) -> None:
    if issubclass(kind, torch.nn.Module):
        check_component(build_empty(kind, folder), folder)


def _check_whole(made: Any, weights: Weights, *, without: Container[str]) -> None:
    """Check that each component of the folder is complete, and needs no factors.

    Raises:
        ValueError: when one has not.
    """
    from diffusers import ModelMixin

    others = {*weights.given, *(found.part.name for found in weights.parts)}
    for name, part in made.components.items():
        if isinstance(part, ModelMixin) and name not in others and name not in without:
            check_component(part, weights.folder / name)


def close_files(part: torch.nn.Module) -> None:
    """Copy the few tensors of another type than the most, which may keep files open for themselves.

    Weights in the type of their file are a part of it, and cost no memory of their own. Where most
    were turned into another type, those that the library keeps in fp32 would keep all of the file
    mapped.
    """
    tensors = [tensor for tensor in (*part.parameters(), *part.buffers()) if not tensor.is_meta]
    sizes = Counter[torch.dtype]()
    for tensor in tensors:
        sizes[tensor.dtype] += tensor.nbytes
    most = max(sizes, key=lambda dtype: sizes[dtype], default=None)
    if most is not None and sizes.total() - sizes[most] < FEW * sizes.total():
        for tensor in tensors:
            if tensor.dtype is not most and tensor.device.type == "cpu":
                tensor.data = tensor.data.clone()


def _load_part(found: PartWeights, dtype: torch.dtype) -> Any:
    kind = getattr(importlib.import_module(found.part.library), found.part.kind)
    # Processors have no weights, and so no type.
    has_weights = issubclass(kind, torch.nn.Module)
    given: dict[str, Any] = {"dtype": dtype, "use_safetensors": True} if has_weights else {}
    variant = variant_of(found.folder) if has_weights else None
    given |= {} if variant is None else {"variant": variant}
    return kind.from_pretrained(found.folder, local_files_only=True, **given)


def _from_one_file(name: str, weights: Weights, dtype: torch.dtype) -> Any:
    file = weights.given[name].file
    parts = {found.part.name: found for found in weights.parts}
    index, given = read_index(weights.folder), [found.part for found in weights.parts]
    kind = find_class(name, file.path.name, index, given, argument=file.argument)
    configuration = parts[name].folder if name in parts else weights.folder / name
    return load_file(file.path, kind, configuration, dtype)


def _damaged(error: Exception, weights: Weights) -> TioMagicError:
    text = str(error).strip().splitlines()
    first = text[0] if text else type(error).__name__
    # A file in place of a component is the likely cause, and the words of the error say what of it
    # does not fit.
    given = [one.file.path for one in weights.given.values()]
    place = given[0] if given else weights.folder
    return ConfigurationError(
        f"the weights in {str(place)!r} cannot be loaded: {first}. Files are missing, "
        "damaged, or in another format than safetensors",
        details={"cause": str(error)[:500]},
    )


def _straight_to(device: torch.device, plan: MemoryPlan) -> dict[str, str]:
    """Return arguments for loading each tensor from the file directly to the device.

    The library takes a device by its kind only, so the weights for a second GPU go the long way.
    """
    if plan is not MemoryPlan.RESIDENT:
        return {}
    return {} if device.index else {"device_map": device.type}


def _place(pipeline: Any, plan: MemoryPlan, device: torch.device) -> None:
    modular = is_modular(type(pipeline).__name__)
    match plan:
        case MemoryPlan.RESIDENT:
            pipeline.to(device)
        case MemoryPlan.MODEL_OFFLOAD if modular:
            offload_whole(pipeline, device)
        case MemoryPlan.GROUP_OFFLOAD | MemoryPlan.DISK_OFFLOAD if modular:
            offload_blocks(pipeline, device, from_files=plan is MemoryPlan.DISK_OFFLOAD)
        case MemoryPlan.MODEL_OFFLOAD:
            # Nothing may be on the device before: it would stay there.
            pipeline.enable_model_cpu_offload(device=device)
        case MemoryPlan.GROUP_OFFLOAD | MemoryPlan.DISK_OFFLOAD:
            from_files = plan is MemoryPlan.DISK_OFFLOAD
            # The VAE stays on the device: it is small, and its caches do not work with these hooks.
            pipeline.enable_group_offload(
                onload_device=device,
                offload_device=torch.device("cpu"),
                offload_type="leaf_level",
                use_stream=device.type == "cuda",
                # A layer is copied to memory that the GPU can read only when it is due: weights
                # that are mapped from files need no other main memory.
                low_cpu_mem_usage=from_files,
                exclude_modules=["vae"],
            )
            pipeline.vae.to(device)
            for name, part in networks(pipeline).items() if from_files else ():
                if name != VAE:
                    read_ahead(part)
