"""Variants of weights, such as ``diffusion_pytorch_model.fp16.safetensors``, whole or in shards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

SHARD = r"(?:-\d+-of-\d+)?"
FILE = re.compile(
    rf"(?:diffusion_pytorch_model|model)(?:\.(?P<before>\w+))?{SHARD}(?:\.(?P<after>\w+))?"
    r"\.safetensors"
)
"""Libraries put the variant before or after the number of a shard."""
PREFERRED = ("fp32", "bf16", "fp16")
"""The most precise first; other variants come after these."""


def variant_of(folder: Path) -> str | None:
    """Return the variant that a component has to be read in.

    Args:
        folder: Of the component.

    Returns:
        None if it has weights without a variant, or no weights.
    """
    found = {variant for path in _files(folder) if (variant := _variant(path.name)) is not None}
    if "" in found or not found:
        return None
    return min(found, key=lambda v: (PREFERRED.index(v) if v in PREFERRED else len(PREFERRED), v))


def weights_in(folder: Path, variant: str | None) -> list[Path]:
    """Return the files of weights of a component in a variant; None for those without."""
    return [path for path in _files(folder) if _variant(path.name) == (variant or "")]


def superfluous(names: Iterable[str]) -> list[str]:
    """Return the variants of weights that a repository also has without a variant."""
    variants: dict[str, str] = {}
    whole: set[str] = set()
    for name in names:
        path = PurePosixPath(name)
        variant = _variant(path.name)
        if variant:
            variants[name] = str(path.parent)
        elif variant is not None:
            whole.add(str(path.parent))
    return [name for name, folder in variants.items() if folder in whole]


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.glob("*.safetensors")) if path.is_file())


def _variant(name: str) -> str | None:
    """Return the variant of a file of weights; empty for one without, None for other files."""
    found = FILE.fullmatch(name)
    return None if found is None else found["before"] or found["after"] or ""
