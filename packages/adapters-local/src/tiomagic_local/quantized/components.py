"""Loads a component in a format, making its files the first time."""

from __future__ import annotations

import math
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.quantities import GIB, describe_bytes
from tiomagic_domain.weights.formats import SHARES
from tiomagic_local.checkpoint.folders import build_empty
from tiomagic_local.checkpoint.header import read_safetensors_header
from tiomagic_local.checkpoint.variants import variant_of, weights_in
from tiomagic_local.quantized.assembling import assemble
from tiomagic_local.quantized.made_cache import MadeWeights, find_made, forget_made, read_note
from tiomagic_local.quantized.made_files import MORE_ROOM, make_weights, read_made, writing
from tiomagic_local.quantized.rounding import check_format
from tiomagic_local.quantized.selection import choose_weights, kept_in_fp32

TYPE_NAMES = {"torch.bfloat16": "BF16", "torch.float16": "F16", "torch.float32": "F32"}
"""A header's word for each type of a run."""
SIXTEEN_BITS = 2
"""Bytes of a number."""
OTHER_TYPES = 0.05
"""The part of a component that may be of another type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FullComponent:
    """A component as it lies in a folder."""

    name: str
    kind: Any
    """Its class in diffusers or transformers."""
    folder: Path
    identity: object
    """Equal exactly when the full weights are."""
    source: str = ""
    """Where they are from, in words."""


def load_quantized(
    full: FullComponent,
    format_: str,
    dtype: torch.dtype,
    *,
    cache: Path,
    say: Callable[[str], None],
) -> tuple[torch.nn.Module, MadeWeights]:
    """Load a component with the weights of its blocks in a format.

    Args:
        full: Its full weights.
        format_: See ``rounding``.
        dtype: The type of the run.
        cache: The folder of all made weights.
        say: Called when they have to be made, which takes minutes for a large model.

    Raises:
        MissingDependencyError: when the format needs a library that is missing.
        OSError, ValueError, RuntimeError, KeyError: when files are damaged or cannot be written.
    """
    check_format(format_)
    model = build_empty(full.kind, full.folder)
    folder = find_made(cache, full.identity, format_)
    made = read_note(folder)
    if made is None:
        say(f"the {format_} weights of the {full.name} are made, once; the next run reads them")
        chosen = choose_weights(model, format_)
        size = sum(
            tensor.numel() * SIXTEEN_BITS * (SHARES[format_] if name in chosen else 1)
            for name, tensor in model.named_parameters()
        )
        _check_disk(cache, round(size))
        made = make_weights(folder, _tensors(full, model), chosen, format_, source=full.source)
    try:
        loaded = read_made(made)
    except (OSError, ValueError, SafetensorError):
        # What lies in a cache can always be made again.
        forget_made(folder)
        return load_quantized(full, format_, dtype, cache=cache, say=say)
    return assemble(model, loaded, dtype, kept=kept_in_fp32(full.kind, dtype)), made


def is_of_type(full: FullComponent, dtype: torch.dtype) -> bool:
    """Say whether nearly all weights of a component lie in its files in a type.

    What is not, such as norms in fp32, is turned into it in main memory.
    """
    sizes: dict[bool, int] = {True: 0, False: 0}
    for path in weights_in(full.folder, variant_of(full.folder)):
        for entry in read_safetensors_header(path).tensors.values():
            sizes[entry.type == TYPE_NAMES.get(str(dtype))] += math.prod(entry.shape)
    return sizes[False] <= OTHER_TYPES * sizes[True]


def load_from_files(
    full: FullComponent, dtype: torch.dtype, *, cache: Path, say: Callable[[str], None]
) -> torch.nn.Module:
    """Load a component whose weights stay in files, in the type of the run.

    Files of another type are written once more in that of the run: what is turned into it in main
    memory cannot stay on the disk.

    Args:
        full: Its weights, of another type.
        dtype: The type of the run.
        cache: The folder of all made weights.
        say: Called when they have to be made.

    Raises:
        OSError, ValueError, RuntimeError, KeyError: when files are damaged or cannot be written.
    """
    model, kept = build_empty(full.kind, full.folder), kept_in_fp32(full.kind, dtype)
    word = str(dtype).removeprefix("torch.")
    folder = find_made(cache, full.identity, word)
    made = read_note(folder)
    if made is None:
        size = sum(tensor.numel() for tensor in model.parameters()) * dtype.itemsize
        say(
            f"the weights of the {full.name} are written in {word}, once ({size / GIB:.1f} GiB); "
            "the next run reads them"
        )
        _check_disk(cache, size)
        tensors = (
            (name, tensor.to(torch.float32 if kept & set(name.split(".")) else dtype))
            for name, tensor in _tensors(full, model)
        )
        made = make_weights(folder, tensors, frozenset(), word, source=full.source)
    try:
        loaded = read_made(made)
    except (OSError, ValueError, SafetensorError):
        # What lies in a cache can always be made again.
        forget_made(folder)
        return load_from_files(full, dtype, cache=cache, say=say)
    return assemble(model, loaded, dtype, kept=kept)


def _check_disk(cache: Path, size: int) -> None:
    """Raise for a disk that is too small, before anything is written."""
    with writing(cache):
        cache.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(cache).free
    if free < size:
        raise ConfigurationError(
            f"{describe_bytes(size)} of weights are to be written in {str(cache)!r}, and "
            f"{describe_bytes(free)} are free there. {MORE_ROOM}"
        )


def _tensors(full: FullComponent, model: Any) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield the full tensors one by one, straight from the files where these have their names."""
    files = weights_in(full.folder, variant_of(full.folder))
    stored = {name for path in files for name in read_safetensors_header(path).tensors}
    own = set(model.state_dict())
    tied = set(getattr(model, "_tied_weights_keys", None) or ())
    if not own - tied <= stored:
        # Files of an older version of the library, whose loader knows their names.
        loaded = full.kind.from_pretrained(
            full.folder, use_safetensors=True, local_files_only=True, dtype="auto"
        )
        yield from loaded.state_dict().items()
        return
    for path in files:
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping.
                if name in own:
                    yield name, file.get_tensor(name)
