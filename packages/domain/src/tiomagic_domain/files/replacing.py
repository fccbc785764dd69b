"""Atomic replacement of a file: written under a hidden name, then renamed.

::

    with replacing(target) as part:
        part.write_bytes(content)

A rename within a folder is atomic, so a reader sees the old file or the new one. Without a sync
before it, a power cut can leave an empty file with the new name.
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tiomagic_domain.files.durability import sync_file, sync_folder


def hidden_name_beside(target: Path, marker: str = ".part") -> Path:
    """Return a new hidden name in the folder of a file; it ends like the file's own."""
    return target.with_name(f".{target.stem}.{secrets.token_hex(8)}{marker}{target.suffix}")


@contextmanager
def replacing(target: Path, *, durable: bool = True, marker: str = ".part") -> Iterator[Path]:
    """Yield a hidden name; its file replaces the target when the block ends without an error.

    After an error the hidden file is removed and the target is unchanged.

    Args:
        target: Where the content belongs; its folder exists.
        durable: Sync content and name to the disk before the block ends.
        marker: In the hidden name, before its ending.

    Raises:
        OSError: when the file cannot be written; also what the block raises.
    """
    part = hidden_name_beside(target, marker)
    try:
        yield part
        if durable:
            move_into_place(part, target)
        else:
            part.replace(target)
    finally:
        with suppress(OSError):  # The first error is the one to report.
            part.unlink(missing_ok=True)


def move_into_place(part: Path, target: Path) -> None:
    """Give a finished file its name, with content and name on the disk.

    Raises:
        OSError: when it cannot be renamed, or the disk is full or broken.
    """
    with part.open("r+b") as file:
        sync_file(file.fileno())
    part.replace(target)
    sync_folder(target.parent)
