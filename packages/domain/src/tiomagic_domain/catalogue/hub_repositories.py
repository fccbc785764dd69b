"""Names of repositories on the Hugging Face hub, where a path may be meant as well."""

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
"""Endings of files; no repository is called like one."""


class HubRepository(NamedTuple):
    """A repository, at a commit, a branch or a tag."""

    name: str
    """Such as ``Wan-AI/Wan2.1-T2V-14B-Diffusers``."""
    revision: str | None
    """None for none that was named."""


def parse_repository(path: PurePath) -> HubRepository | None:
    """Return the repository that a path may name, ``owner/name`` or ``owner/name@revision``.

    Whether there is a file or a folder of that name is not looked at; such a one comes first.

    Args:
        path: As it was given.

    Returns:
        None when it cannot be one: an absolute path, one with more or fewer parts, or a file's.
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
