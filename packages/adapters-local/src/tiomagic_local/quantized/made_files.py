"""Files of weights that were made from full ones, so that the next load reads the small ones.

::

    <hub's cache>/../tiomagic/quantized/<key>/
        weights-00001.safetensors …   tensors, by the model's names
        made.json                     their format, written last

The key is a digest of the source, the format and the version of the rounding. A folder appears
whole or not at all. In 8 bits the files have the names of ComfyUI's, so other programs read them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from filelock import FileLock
from safetensors import safe_open
from safetensors.torch import save_file

from tiomagic_local.quantized.rounding import round_weight
from tiomagic_local.quantized.tensors import Loaded, StoredTensor, keep_stored

VERSION = 1
"""Of the rounding and the files."""
LARGEST_FILE = 2 * 2**30
"""Bytes of a file, so that making them needs little memory beside the weights."""
FACTOR = ".weight_scale"
NOTE = "made.json"
TYPES = {"int8": "I8", "float8_e4m3fn": "F8_E4M3"}
"""A header's type of each kind that is no packed one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWeights:
    """A component's weights in a format."""

    folder: Path
    format: str
    layers: int
    """How many weights are in the format."""

    def facts(self) -> dict[str, object]:
        """Return its facts for a job's record."""
        return {"format": self.format, "layers": self.layers}


def find_made(cache: Path, source: object, format_: str) -> Path:
    """Return the folder of weights in a format, which may not exist yet.

    Args:
        cache: The folder of all made weights.
        source: Equal exactly when the full weights are.
        format_: See ``rounding``.
    """
    text = repr((source, format_, VERSION))
    return cache / hashlib.sha256(text.encode()).hexdigest()[:24]


def read_note(folder: Path) -> MadeWeights | None:
    """Return what is in a folder; None for one that is not complete."""
    try:
        said = json.loads((folder / NOTE).read_text(encoding="utf-8"))
        return MadeWeights(folder=folder, format=said["format"], layers=int(said["layers"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_made(folder: Path) -> None:
    """Remove made weights, such as damaged ones."""
    with FileLock(f"{folder}.lock"):
        shutil.rmtree(folder, ignore_errors=True)


def make_weights(
    folder: Path,
    tensors: Iterable[tuple[str, torch.Tensor]],
    chosen: frozenset[str],
    format_: str,
) -> MadeWeights:
    """Write weights in a format, unless another process has done so meanwhile.

    Args:
        folder: What `find_made` gave.
        tensors: All of the component, by its own names; read one after the other.
        chosen: The names of those that are rounded.
        format_: See ``rounding``.

    Raises:
        OSError: when they cannot be written; nothing is left then.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{folder}.lock"):
        found = read_note(folder)
        if found is not None:
            return found
        shutil.rmtree(folder, ignore_errors=True)
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix="making-") as made:
            draft = Path(made) / "draft"
            draft.mkdir()
            kind = _write(draft, tensors, chosen, format_)
            note = {"format": format_, "kind": kind, "layers": len(chosen), "version": VERSION}
            (draft / NOTE).write_text(json.dumps(note, indent=2), encoding="utf-8")
            draft.rename(folder)
    return MadeWeights(folder=folder, format=format_, layers=len(chosen))


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
        save_file(batch, draft / f"weights-{count:05}.safetensors", metadata={"kind": kind})
        batch, size = {}, 0

    for name, tensor in tensors:
        new = {name: tensor.contiguous().clone()}
        if name in chosen:
            stored = round_weight(tensor, format_)
            kind = stored.kind
            new = _entries(name, stored)
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
