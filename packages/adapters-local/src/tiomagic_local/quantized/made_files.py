"""Makes the files of weights in a format, and reads them.

One full tensor at a time is in memory, beside the small ones of one file.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.quantities import describe_bytes
from tiomagic_local.quantized.made_cache import (
    DRAFT,
    NOTE,
    VERSION,
    MadeWeights,
    read_note,
    remove_drafts,
)
from tiomagic_local.quantized.rounding import round_weight
from tiomagic_local.quantized.tensors import Loaded, StoredTensor, keep_stored

LARGEST_FILE = 2**29
"""Bytes of a file, so that making them needs little memory beside the weights."""
MORE_ROOM = "Make room, such as by removing made weights, or move the cache with HF_HOME"
FACTOR = ".weight_scale"
TYPES = {"int8": "I8", "float8_e4m3fn": "F8_E4M3"}
"""A header's type of each kind that is no packed one."""


def make_weights(
    folder: Path,
    tensors: Iterable[tuple[str, torch.Tensor]],
    chosen: frozenset[str],
    format_: str,
    *,
    source: str,
) -> MadeWeights:
    """Write weights in a format, unless another process has done so meanwhile.

    Args:
        folder: What `find_made` gave.
        tensors: All of the component, by its own names; read one after the other.
        chosen: The names of those that are rounded.
        format_: See ``rounding``.
        source: What they are made of, in words.

    Raises:
        ConfigurationError: when they cannot be written; nothing is left then.
        OSError: when the full ones cannot be read; the same.
    """
    with writing(folder.parent):
        folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        found = read_note(folder)
        if found is not None:
            return found
        shutil.rmtree(folder, ignore_errors=True)
        remove_drafts(folder)
        prefix = f"{DRAFT}{folder.name}-"
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=prefix) as made:
            draft = Path(made) / "draft"
            draft.mkdir()
            kind = _write(draft, tensors, chosen, format_)
            note = {
                "format": format_,
                "kind": kind,
                "layers": len(chosen),
                "source": source,
                "version": VERSION,
            }
            with writing(folder.parent):
                (draft / NOTE).write_text(json.dumps(note, indent=2), encoding="utf-8")
                draft.rename(folder)
    return MadeWeights(folder=folder, format=format_, layers=len(chosen), source=source)


@contextlib.contextmanager
def writing(cache: Path) -> Iterator[None]:
    """Have an error of the disk name the folder, what is free there and what helps."""
    try:
        yield
    except (OSError, SafetensorError) as error:
        there = next(path for path in (cache, *cache.parents) if path.exists())
        free = describe_bytes(shutil.disk_usage(there).free)
        raise ConfigurationError(
            f"weights in fewer bits cannot be written in {str(cache)!r}: {error}; {free} are free "
            f"there. {MORE_ROOM}",
            details={"place": str(cache)},
        ) from error


def _write(
    draft: Path,
    tensors: Iterable[tuple[str, torch.Tensor]],
    chosen: frozenset[str],
    format_: str,
) -> str:
    batch: dict[str, torch.Tensor] = {}
    size = count = 0
    kind = ""

    def write() -> None:
        nonlocal batch, size, count
        count += 1
        with writing(draft.parents[1]):
            save_file(batch, draft / f"weights-{count:05}.safetensors", metadata={"kind": kind})
        batch, size = {}, 0

    for name, tensor in tensors:
        if name in chosen:
            stored = round_weight(tensor, format_)
            kind = stored.kind
            new = _entries(name, stored)
        else:
            new = {name: tensor.contiguous().clone()}
        # Of a file that is mapped into memory, its pages are given back.
        del tensor
        batch |= new
        size += sum(one.nbytes for one in new.values())
        if size >= LARGEST_FILE:
            write()
    if batch:
        write()
    return kind


def _entries(name: str, stored: StoredTensor) -> dict[str, torch.Tensor]:
    numbers = stored.numbers
    if stored.kind.startswith("float8"):
        numbers = numbers.view(torch.float8_e4m3fn)
    layer = name.removesuffix(".weight")
    factor = {} if stored.factor is None else {f"{layer}{FACTOR}": stored.factor}
    return {name: numbers, **factor}


def read_made(made: MadeWeights) -> Loaded:
    """Return all tensors of made weights, by the component's names.

    Raises:
        OSError, ValueError, SafetensorError: when a file is damaged.
    """
    return dict(_read(made.folder))


def _read(folder: Path) -> Iterator[tuple[str, torch.Tensor | StoredTensor]]:
    kind = json.loads((folder / NOTE).read_text(encoding="utf-8"))["kind"]
    factors: dict[str, torch.Tensor] = {}
    numbers: dict[str, torch.Tensor] = {}
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, framework="pt") as file:
            for name in file.keys():  # noqa: SIM118 - no mapping.
                tensor = file.get_tensor(name)
                if name.endswith(FACTOR):
                    factors[f"{name.removesuffix(FACTOR)}.weight"] = tensor
                elif tensor.dtype in {torch.int8, torch.uint8, torch.float8_e4m3fn}:
                    numbers[name] = tensor
                else:
                    yield name, tensor
    for name, tensor in numbers.items():
        stored = keep_stored(tensor, TYPES.get(kind, kind), factors.get(name))
        if stored is None:
            raise ValueError(f"{name!r} is not stored as {kind}")
        yield name, stored
