"""The files that are shipped to the container, and the tags that identify a deployment."""

from __future__ import annotations

import hashlib
import importlib.util
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tiomagic_domain import __version__
from tiomagic_domain.extras import missing_extra_error
from tiomagic_modal.constants import TAG_SOURCE, TAG_VERSION
from tiomagic_modal.image_pins import PINS, PYTHON

SHIPPED_PACKAGES = ("tiomagic_domain", "tiomagic_local", "tiomagic_media", "tiomagic_modal")
"""The packages whose source goes into the container, as it is installed here."""
SHIPPED_SUFFIXES = frozenset({".py", ".json", ".txt", ".safetensors"})
"""Suffixes of shipped files: code, and small weights and tables of a package. Never ``.env``."""


def is_excluded(inside: Path) -> bool:
    """Say whether a file is not shipped; the path is relative to its package."""
    hidden = any(part.startswith(".") or part == "__pycache__" for part in inside.parts)
    return hidden or inside.suffix not in SHIPPED_SUFFIXES


def package_folder(name: str) -> Path:
    """Return where a package is installed.

    Raises:
        MissingDependencyError: when it is not.
    """
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise missing_extra_error("modal", "deploying to Modal", module=name)
    return Path(spec.origin).parent


def shipped_files() -> Iterator[tuple[str, Path]]:
    """Yield name in the container and path here, sorted."""
    for package in SHIPPED_PACKAGES:
        folder = package_folder(package)
        for path in sorted(folder.rglob("*")):
            inside = path.relative_to(folder)
            if path.is_file() and not is_excluded(inside):
                yield f"{package}/{inside.as_posix()}", path


@cache
def source_hash() -> str:
    """Return 16 hex digits over every shipped file and the recipe of the image."""
    digest = hashlib.sha256("\n".join((PYTHON, *PINS)).encode())
    for name, path in shipped_files():
        digest.update(name.encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


def local_tags() -> dict[str, str]:
    """Return the tags of a deployment made from here."""
    # Modal's tags take letters, digits, dot, dash and underscore.
    return {TAG_VERSION: __version__.replace("+", "-"), TAG_SOURCE: source_hash()}


_VERSION = re.compile(r"(?P<release>\d+(?:\.\d+)*)[.\-_]?(?P<stage>dev|a|b|rc)?(?P<rest>.*)")
_STAGES = ("dev", "a", "b", "rc", None)


def version_key(version: str) -> tuple[list[int], int, list[int]]:
    """Return a key by which versions sort: ``2.0.0.dev1 < 2.0.0rc1 < 2.0.0 < 2.0.0-1 < 2.0.1``.

    Invalid versions sort first.
    """
    match = _VERSION.fullmatch(version)
    if match is None:
        return [], 0, []
    release = [int(number) for number in match["release"].split(".")]
    while release and release[-1] == 0:
        release.pop()
    return (
        release,
        _STAGES.index(match["stage"]),
        [int(n) for n in re.findall(r"\d+", match["rest"])],
    )
