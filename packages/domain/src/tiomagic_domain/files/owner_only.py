"""Permissions: creates files and folders for their owner only (600, 700), and restricts old ones.

With the usual umask all users of a machine could read prompts, pictures and logs. New files get the
modes 700 and 600. Files of older versions are restricted later; a folder that a group shares on
purpose (with its set-group-id bit) stays open to the group.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private(folder: Path) -> None:
    """Create a folder and its missing parents, for the owner only.

    An existing folder is unchanged.

    Raises:
        OSError: when it cannot be made, or a file has its name.
    """
    missing = []
    place = folder
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    for each in reversed(missing):
        # A race: another process may create it too.
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")


def private_opener(path: str, flags: int) -> int:
    """An ``opener`` for ``open``: a new file is for its owner only."""
    return os.open(path, flags, FILE_MODE)


def restrict_to_owner(path: Path) -> None:
    """Remove all permissions but the owner's from a file or folder of this user.

    Nothing happens where that is not possible: another user's file, a missing one, a file system
    without permissions. A group keeps what it has where that is on purpose: in a folder with the
    set-group-id bit, and with a file that it may write.
    """
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        found = path.lstat()
        mode = stat.S_IMODE(found.st_mode)
        if stat.S_ISDIR(found.st_mode):
            is_shared = bool(mode & stat.S_ISGID)
        elif stat.S_ISREG(found.st_mode):
            is_shared = bool(mode & stat.S_IWGRP)
        else:
            return
        closed = mode & ~(stat.S_IRWXO if is_shared else stat.S_IRWXO | stat.S_IRWXG)
        if closed != mode and found.st_uid == os.geteuid():
            path.chmod(closed)
