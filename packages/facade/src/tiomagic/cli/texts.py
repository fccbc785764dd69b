"""Words of the command line that stand in a file or come from stdin."""

from __future__ import annotations

import sys
from pathlib import Path

from tiomagic_domain.errors import ResourceNotFoundError


def prompt_of(word: str) -> str:
    """Return a prompt: ``-`` is read from stdin, ``@file`` from a file, ``@@`` begins with an @.

    Raises:
        ResourceNotFoundError: when it cannot be read.
    """
    if word.startswith("@@"):
        return word[1:]
    if word == "-" or word.startswith("@"):
        return read_text(word.removeprefix("@")).strip()
    return word


def read_text(path: str) -> str:
    """Return the text of a file; ``-`` is stdin.

    Raises:
        ResourceNotFoundError: when it cannot be read, or is not UTF-8.
    """
    if path == "-":
        return sys.stdin.read()
    try:
        return Path(path).expanduser().read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ResourceNotFoundError(
            f"{path} cannot be read: {error}", details={"path": path}
        ) from error
