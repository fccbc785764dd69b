"""Parses ``owner/name@revision`` as a repository on the Hugging Face hub, or else as a path."""

from __future__ import annotations

import re
from pathlib import PurePath
from typing import NamedTuple

REPOSITORY_PATTERN = re.compile(
    r"(?P<name>[\w.-]+/[\w.-]+)(?:@(?P<revision>[\w.-]+(?:/[\w.-]+)*))?"
)
FILES = frozenset(
    {".safetensors", ".bin", ".ckpt", ".gguf", ".json", ".pkl", ".pt", ".pth", ".onnx", ".zip"}
)
"""Endings of files; no repository has such a name."""


class HubRepository(NamedTuple):
    """A repository, at a commit, a branch or a tag."""

    name: str
    """Such as ``Wan-AI/Wan2.1-T2V-14B-Diffusers``."""
    revision: str | None
    """None when none was named."""


def parse_repository(path: PurePath) -> HubRepository | None:
    """Return the repository that a path may name, ``owner/name`` or ``owner/name@revision``.

    The disk is not checked: the caller looks for a file or folder of that name first.

    Args:
        path: As it was given.

    Returns:
        None when it cannot be one: an absolute path, more or fewer than two parts, or a file's
        name.
    """
    if path.is_absolute():
        return None
    found = REPOSITORY_PATTERN.fullmatch(path.as_posix())
    if found is None:
        return None
    name = found["name"]
    plain = all(part.strip(".") and not part.startswith("-") for part in name.split("/"))
    if not plain or PurePath(name).suffix.lower() in FILES:
        return None
    return HubRepository(name, found["revision"])
