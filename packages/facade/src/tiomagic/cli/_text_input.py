"""Words of the command line that stand in a file or come from stdin."""

from __future__ import annotations

from pathlib import Path

from tiomagic.display.streams import read_stdin
from tiomagic_domain.errors import ResourceNotFoundError
from tiomagic_domain.text import decode_text


def read_prompt(word: str) -> str:
    """Return a prompt: ``-`` is read from stdin, ``@file`` from a file, ``@@`` begins with an @.

    Raises:
        ResourceNotFoundError, ValidationError: when it cannot be read, or is no text.
    """
    if word.startswith("@@"):
        return word[1:]
    if word == "-" or word.startswith("@"):
        return read_text(word.removeprefix("@")).strip()
    return word


def read_text(path: str) -> str:
    """Return the text of a file; ``-`` is stdin. A byte order mark is no part of it.

    Raises:
        ResourceNotFoundError: when it cannot be read.
        ValidationError: when it is neither UTF-8 nor UTF-16 with a byte order mark.
    """
    if path == "-":
        return decode_text(read_stdin(), "stdin")
    try:
        content = Path(path).expanduser().read_bytes()
    except (OSError, ValueError) as error:
        raise ResourceNotFoundError(
            f"{path} cannot be read: {getattr(error, 'strerror', None) or error}",
            details={"path": path},
        ) from error
    return decode_text(content, path)
