"""A folder for locks and sockets that no other user of the machine can enter.

The folder of temporary files is shared: another user who predicts a name in it can create it first,
as a file, a folder, or a symbolic link.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError

FOLDER_NAME = "tiomagic"
OWNER_ONLY_MODE = 0o700


def private_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return this user's own folder for locks and sockets, created with mode 700.

    It is ``$XDG_RUNTIME_DIR/tiomagic`` where that is the user's own and closed to others, else
    ``tiomagic/run`` in the user's cache folder.

    Args:
        environment: The variables that name folders.

    Raises:
        ProcessingError: when none can be created; the message has the reason for each.
    """
    reasons = []
    for folder in _candidates(environment):
        try:
            return _made(folder)
        except OSError as error:
            reasons.append(f"{folder}: {error.strerror or error}")
    raise ProcessingError(
        f"there is no folder for the locks of this user ({'; '.join(reasons)}). Set XDG_CACHE_HOME "
        "to a folder that you may write in",
        code=ErrorCode.NO_PRIVATE_FOLDER,
    )


def open_private(path: Path) -> int:
    """Open or create a lock file, and return its descriptor.

    Raises:
        OSError: when a symbolic link, a folder, or another user's file has its name.
    """
    flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_CLOEXEC", 0)
    descriptor = os.open(path, flags | getattr(os, "O_NONBLOCK", 0), 0o600)
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return descriptor
    os.close(descriptor)
    raise OSError(f"{path} is not a regular file")


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    runtime = Path(environment.get("XDG_RUNTIME_DIR", ""))
    if runtime.is_absolute() and _is_private(runtime):
        yield runtime / FOLDER_NAME
    yield from (folder / "run" for folder in find_cache_folders(environment))


def find_cache_folders(environment: Mapping[str, str] = os.environ) -> Iterator[Path]:
    """Give the places for tiomagic's folder in this user's cache, the best first; makes none.

    Args:
        environment: The variables that name folders.
    """
    if sys.platform == "win32":  # pragma: no cover - the tests run on POSIX.
        local = environment.get("LOCALAPPDATA", "")
        if local:
            yield Path(local) / FOLDER_NAME
    cache = Path(environment.get("XDG_CACHE_HOME", ""))
    if cache.is_absolute():
        yield cache / FOLDER_NAME
    home = Path(environment.get("HOME", ""))
    if home.is_absolute():
        yield home / ".cache" / FOLDER_NAME


def _is_private(folder: Path) -> bool:
    """Return whether a folder is this user's own and closed to all others."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and _is_ours(found) and not found.st_mode & 0o077


def _is_ours(found: os.stat_result) -> bool:
    return not hasattr(os, "getuid") or found.st_uid == os.getuid()


def _made(folder: Path) -> Path:
    folder.mkdir(mode=OWNER_ONLY_MODE, parents=True, exist_ok=True)
    found = folder.lstat()
    if not stat.S_ISDIR(found.st_mode) or not _is_ours(found):
        raise OSError("it belongs to another user, or is a link to another place")
    if stat.S_IMODE(found.st_mode) & 0o077:
        folder.chmod(OWNER_ONLY_MODE)
    if not os.access(folder, os.W_OK | os.X_OK):
        raise OSError("it cannot be written")
    return folder
