"""Files and folders that are for their owner alone: prompts, pictures and logs are private.

With the usual umask everybody on a machine could read them. What is made new gets the modes 700 and
600. What an older version has made is closed afterwards; a folder that a group shares on purpose
(its set-group-id bit is set) stays open to the group.
"""

from __future__ import annotations

import contextlib
import os
import stat
from pathlib import Path

FOLDER_MODE = 0o700
FILE_MODE = 0o600


def make_private(folder: Path) -> None:
    """Make a folder, and those above it that are missing, for the owner alone.

    A folder that is there stays as it is.

    Raises:
        OSError: when it cannot be made, or a file has its name.
    """
    missing = []
    place = folder
    while not place.exists() and place != place.parent:
        missing.append(place)
        place = place.parent
    for each in reversed(missing):
        # Another process may make it at the same moment.
        each.mkdir(mode=FOLDER_MODE, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(f"{folder} is not a folder")


def private_opener(path: str, flags: int) -> int:
    """Open a file for ``open(opener=…)``: one that is made is for its owner alone."""
    return os.open(path, flags, FILE_MODE)


def restrict_to_owner(path: Path) -> None:
    """Take from all but the owner what they may do with a file or folder of this user.

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
