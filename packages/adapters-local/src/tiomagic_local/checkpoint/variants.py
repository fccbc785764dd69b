"""Weights in a variant, as ``diffusion_pytorch_model.fp16.safetensors``, whole or in shards."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

SHARD = r"(?:-\d+-of-\d+)?"
FILE = re.compile(
    rf"(?:diffusion_pytorch_model|model)(?:\.(?P<before>\w+))?{SHARD}(?:\.(?P<after>\w+))?"
    r"\.safetensors"
)
"""Libraries put the variant before the number of a shard or after it."""
PREFERRED = ("fp32", "bf16", "fp16")
"""The more numbers can tell, the sooner; others come after these."""


def variant_of(folder: Path) -> str | None:
    """Return the variant that a component has to be read in.

    Args:
        folder: Of the component.

    Returns:
        None where it has weights without one, or none at all.
    """
    found = {variant for path in _files(folder) if (variant := _variant(path.name)) is not None}
    if "" in found or not found:
        return None
    return min(found, key=lambda v: (PREFERRED.index(v) if v in PREFERRED else len(PREFERRED), v))


def weights_in(folder: Path, variant: str | None) -> list[Path]:
    """Return the files of weights of a component in a variant; None for those without."""
    return [path for path in _files(folder) if _variant(path.name) == (variant or "")]


def superfluous(names: Iterable[str]) -> list[str]:
    """Return the files of a repository that are variants of weights that it has without one."""
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
