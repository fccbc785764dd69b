"""Bringing files and the names of files to the disk, on drives that can do that.

Network drives and the like may have neither a sync of folders nor locks. They say so by an error
that is no reason to stop: what was written is written as well as can be.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

_NAMES: Final = ("EINVAL", "ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOTTY")
_CANNOT: Final = frozenset(getattr(errno, name) for name in _NAMES if hasattr(errno, name))


def is_unsupported(error: OSError) -> bool:
    """Return whether an error says that the file system has no such thing."""
    return error.errno in _CANNOT


def sync_file(descriptor: int) -> bool:
    """Bring an open file to the disk; False where the file system cannot do that.

    Raises:
        OSError: when the disk is full or broken.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if not is_unsupported(error):
            raise
        return False
    return True


def sync_folder(folder: Path) -> bool:
    """Bring the names in a folder to the disk; False where the file system cannot do that.

    Raises:
        OSError: when the disk is full or broken.
    """
    if os.name != "posix":
        return True  # NTFS journals names by itself.
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        return sync_file(descriptor)
    finally:
        os.close(descriptor)
