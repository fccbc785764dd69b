"""Reuses an identical text encoder when the next model is loaded.

Models of one family often differ in their transformer alone, and the encoder is the larger part of
what a change of model reads. Whether two are the same is decided by their files, class and type,
never by their names; hooks and adapters have to be gone, or the encoder is loaded anew.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tiomagic_domain.quantities import GIB
from tiomagic_local.checkpoint.pipeline_index import is_modular, read_index
from tiomagic_local.memory.plans import BY_LAYERS, MemoryPlan
from tiomagic_local.weights.locate import Weights

if TYPE_CHECKING:
    import torch

SHAREABLE_COMPONENTS = ("text_encoder", "text_encoder_2", "text_encoder_3")
"""Components that may be the same in two models, and are worth it."""

LOADED_SUFFIXES = frozenset({".json", ".safetensors"})
"""Endings of the files that a component is loaded from."""

PROVENANCE_KEYS = frozenset({"_name_or_path", "transformers_version", "_diffusers_version"})
"""Keys of a configuration that name its source and change nothing."""

DIGEST = re.compile(r"[0-9a-f]{64}")


Identity = tuple[object, ...]
"""Equal for two components exactly when loading either gives the same tensors."""


def identify_components(
    weights: Weights, *, fp32: tuple[str, ...], dtype: torch.dtype
) -> dict[str, Identity]:
    """Return the identity of each text encoder of a pipeline, by its name.

    Args:
        weights: On this machine.
        fp32: Components that are loaded in fp32.
        dtype: Type of all others.
    """
    parts = {found.part.name: found for found in weights.parts}
    index = read_index(weights.folder)
    found: dict[str, Identity] = {}
    for name in SHAREABLE_COMPONENTS:
        if name in parts:
            kind = [parts[name].part.library, parts[name].part.kind]
            folder = parts[name].folder
        else:
            # A component that a pipeline does without has no class.
            kind = index.get(name) or [None]
            folder = weights.folder / name
        if None not in kind and folder.is_dir():
            type_ = "float32" if name in fp32 else str(dtype).removeprefix("torch.")
            file = weights.given.get(name)
            own = identify_files(folder) if file is None else file.file.identity
            found[name] = (*kind, type_, *own)
    return found


def detach_text_encoders(pipeline: Any, plan: MemoryPlan) -> dict[str, torch.nn.Module]:
    """Return the text encoders of a discarded pipeline, without hooks and adapters.

    Args:
        pipeline: Not used afterwards.
        plan: Its memory plan.
    """
    import torch

    from tiomagic_local.modular.placement import remove_hooks

    # Its hooks have split the weights into blocks of memory of their own.
    if plan in BY_LAYERS:
        return {}
    if is_modular(type(pipeline).__name__):
        remove_hooks(pipeline)
    else:
        pipeline.remove_all_hooks()
    parts = {name: getattr(pipeline, name, None) for name in SHAREABLE_COMPONENTS}
    return {
        name: part
        for name, part in parts.items()
        if isinstance(part, torch.nn.Module) and is_bare(part)
    }


def is_bare(part: torch.nn.Module) -> bool:
    """Say whether a component is as loaded: whole, unquantised, without hooks and adapters."""
    from peft.tuners.tuners_utils import BaseTunerLayer

    if getattr(part, "is_quantized", False) or getattr(part, "peft_config", None):
        return False
    if any(tensor.is_meta for tensor in part.parameters()):
        return False
    return not any(
        module._forward_hooks  # noqa: SLF001 - torch has no other word for it
        or module._forward_pre_hooks  # noqa: SLF001
        or hasattr(module, "_hf_hook")
        or hasattr(module, "_diffusers_hook")
        or isinstance(module, BaseTunerLayer)
        for module in part.modules()
    )


def lying_on(parts: Mapping[str, torch.nn.Module], device: torch.device) -> float:
    """Return how many GiB of a device's memory some components hold."""
    tensors = [
        tensor for part in parts.values() for tensor in (*part.parameters(), *part.buffers())
    ]
    # The encoder and its embedding may be two names of one tensor.
    here = {id(tensor): tensor.nbytes for tensor in tensors if tensor.device.type == device.type}
    return sum(here.values()) / GIB


def identify_files(folder: Path) -> Identity:
    """Return the identity of the files that a component is loaded from, without reading weights."""
    return tuple(_contents(folder))


def _contents(folder: Path) -> Iterator[tuple[str, object]]:
    for path in sorted(folder.iterdir()):
        if path.suffix == ".json":
            yield path.name, _meaning(path)
        elif path.suffix in LOADED_SUFFIXES:
            yield path.name, _file(path)


def _meaning(path: Path) -> str:
    """Return the content of a JSON file in a canonical form."""
    text = path.read_text(encoding="utf-8")
    try:
        said = json.loads(text)
    except ValueError:
        # The loader will report it.
        return text
    if isinstance(said, dict):
        said = {name: value for name, value in said.items() if name not in PROVENANCE_KEYS}
    return json.dumps(said, sort_keys=True)


def _file(path: Path) -> tuple[object, ...]:
    """Return an identity of a large file, without reading it."""
    if path.is_symlink():
        # The hub's cache names a file by the digest of its content.
        target = path.readlink()
        if target.parent.name == "blobs" and DIGEST.fullmatch(target.name):
            return ("sha256", target.name)
    stat = path.stat()
    return (stat.st_dev, stat.st_ino, stat.st_size, stat.st_mtime_ns)
