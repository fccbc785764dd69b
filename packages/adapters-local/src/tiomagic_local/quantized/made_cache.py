"""The cache of weights that were made from full ones. Loads no torch.

::

    <hub's cache>/../tiomagic/quantized/<key>/
        weights-00001.safetensors …   tensors, by the model's names
        made.json                     their format and source, written last

The key is a digest of the source, the format and the version of the rounding. A folder appears
whole or not at all. In 8 bits the files have the names of ComfyUI's, so other programs read them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

VERSION = 1
"""Of the rounding and the files."""
NOTE = "made.json"
DRAFT = "making-"
"""How the name of a folder begins that is not complete."""
ABANDONED_S = 3600.0
"""Seconds after which a draft that nothing is written to belongs to a process that has died: a file
of two GiB takes minutes."""


def made_weights_folder() -> Path:
    """Return the folder of all weights that were made from full ones, beside the hub's cache."""
    from tiomagic_local.torch_env.machine import hub_cache

    return hub_cache().parent / "tiomagic" / "quantized"


@dataclass(frozen=True, slots=True, kw_only=True)
class MadeWeights:
    """A component's weights in a format."""

    folder: Path
    format: str
    layers: int
    """How many weights are in the format."""
    source: str = ""
    """What they were made of; empty for those of an older version."""

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
        return MadeWeights(
            folder=folder,
            format=str(said["format"]),
            layers=int(said["layers"]),
            source=str(said.get("source", "")),
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def forget_made(folder: Path) -> None:
    """Remove made weights, such as damaged ones."""
    with FileLock(f"{folder}.lock"):
        shutil.rmtree(folder, ignore_errors=True)


def list_made(cache: Path) -> list[MadeWeights]:
    """Return all made weights, by their source."""
    found = [read_note(folder) for folder in cache.glob("*/")]
    made = [one for one in found if one is not None]
    return sorted(made, key=lambda one: (one.source, one.format))


def count_made_bytes(made: MadeWeights) -> int:
    """Return the bytes on the disk."""
    return sum(path.stat().st_size for path in made.folder.rglob("*") if path.is_file())


def remove_made(cache: Path, made: Sequence[MadeWeights]) -> int:
    """Remove made weights, and what processes that have died left; return the bytes that are free.

    Raises:
        OSError: when they cannot be removed.
    """
    freed = 0
    for one in made:
        freed += count_made_bytes(one)
        with FileLock(f"{one.folder}.lock"):
            shutil.rmtree(one.folder)
        Path(f"{one.folder}.lock").unlink(missing_ok=True)
    for draft in cache.glob(f"{DRAFT}*/"):
        files = [path for path in draft.rglob("*") if path.is_file()]
        newest = max((path.stat().st_mtime for path in (draft, *files)), default=0.0)
        if time.time() - newest > ABANDONED_S:
            freed += sum(path.stat().st_size for path in files)
            shutil.rmtree(draft, ignore_errors=True)
    return freed
