"""fsync of files and folders, on drives that support it.

Network drives may support neither the sync of folders nor locks. Their errors for that are ignored:
the data is written as safely as the drive allows.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Final

_NAMES: Final = ("EINVAL", "ENOLCK", "ENOSYS", "ENOTSUP", "EOPNOTSUPP", "ENOTTY")
_CANNOT: Final = frozenset(getattr(errno, name) for name in _NAMES if hasattr(errno, name))


def is_unsupported(error: OSError) -> bool:
    """Return whether an error means that the file system does not support the call."""
    return error.errno in _CANNOT


def sync_file(descriptor: int) -> bool:
    """Sync an open file; False if the file system does not support it.

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
    """Sync the names in a folder; False if the file system does not support it.

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
