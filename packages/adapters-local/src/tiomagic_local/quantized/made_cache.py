"""The cache of weights that were made from full ones. Loads no torch.

::

    <hub's cache>/../tiomagic/quantized/
      making-<key>-…/                 what a process writes now, or has left when it died
      <key>.lock                      held by the process that makes or removes them
      <key>/
        weights-00001.safetensors …   tensors, by the model's names
        made.json                     their format and source, written last

The key is a digest of the source, the format and the version of the rounding. A folder appears
whole or not at all. In 8 bits the files have the names of ComfyUI's, so other programs read them.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

VERSION = 1
"""Of the rounding and the files."""
NOTE = "made.json"
DRAFT = "making-"
"""How the name of a folder begins that is not complete; the key follows, then letters of chance."""


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
    with FileLock(_lock_of(folder)):
        shutil.rmtree(folder, ignore_errors=True)


def list_made(cache: Path) -> list[MadeWeights]:
    """Return all made weights, by their source."""
    found = [read_note(folder) for folder in cache.glob("*/")]
    made = [one for one in found if one is not None]
    return sorted(made, key=lambda one: (one.source, one.format))


def count_made_bytes(made: MadeWeights) -> int:
    """Return the bytes on the disk."""
    return _count_bytes(made.folder)


def _count_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def remove_drafts(folder: Path) -> None:
    """Remove what processes that have died left of some weights; the caller holds their lock."""
    for draft in folder.parent.glob(f"{DRAFT}{folder.name}-*/"):
        shutil.rmtree(draft, ignore_errors=True)


def count_abandoned_bytes(cache: Path) -> int:
    """Return the bytes that processes left that died while they made weights."""
    return sum(map(_count_bytes, _abandoned_drafts(cache)))


def _abandoned_drafts(cache: Path) -> Iterator[Path]:
    """Yield each draft that no process writes; its lock is held meanwhile."""
    for draft in cache.glob(f"{DRAFT}*/"):
        key = draft.name.removeprefix(DRAFT).partition("-")[0]
        lock = FileLock(_lock_of(cache / key), timeout=0)
        try:
            lock.acquire()
        except OSError:
            continue  # Its process is at work, or the folder is read-only.
        try:
            yield draft
        finally:
            lock.release()


def remove_made(cache: Path, made: Sequence[MadeWeights]) -> int:
    """Remove made weights, and what processes that have died left; return the bytes that are free.

    Raises:
        OSError: when they cannot be removed.
    """
    freed = 0
    for one in made:
        freed += count_made_bytes(one)
        with FileLock(_lock_of(one.folder)):
            shutil.rmtree(one.folder)
    for draft in _abandoned_drafts(cache):
        freed += _count_bytes(draft)
        shutil.rmtree(draft, ignore_errors=True)
    return freed


def _lock_of(folder: Path) -> Path:
    return folder.with_name(f"{folder.name}.lock")
