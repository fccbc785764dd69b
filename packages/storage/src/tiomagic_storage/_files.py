"""Files that appear whole or not at all, and locks between processes."""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

LEFTOVER_AGE_S = 60.0
"""A temporary file younger than this may belong to a writer that has not locked it yet."""

PART = ".tiomagic-part"
"""Ends the names of temporary files, and of no file of anybody else."""

if sys.platform == "win32":  # pragma: no cover - the tests run on POSIX.
    import msvcrt

    def try_lock(descriptor: int) -> bool:
        """Lock an open file against other processes; False when somebody else has it."""
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def sync_folder(folder: Path) -> None:
        """Do nothing: NTFS journals names by itself."""

else:
    import fcntl

    def try_lock(descriptor: int) -> bool:
        """Lock an open file against other processes; False when somebody else has it."""
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def sync_folder(folder: Path) -> None:
        """Bring the names in a folder to the disk."""
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def replacing(target: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Give a hidden file that takes the target's place when the block ends well.

    When it does not, the hidden file is removed and the target is as it was. A writer that is
    killed leaves its file unlocked; ``remove_leftovers`` finds it.

    Args:
        target: Where the content belongs; its folder exists.
        durable: Bring content and name to the disk before the block is left.
    """
    part = target.with_name(f".{target.name}.{secrets.token_hex(8)}{PART}")
    try:
        with part.open("xb") as file:
            try_lock(file.fileno())
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):  # The first error is the one to tell.
            part.unlink(missing_ok=True)
        raise
    if durable:
        sync_folder(target.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that are gone."""
    for part in folder.glob(f".*{PART}"):
        # A file that cannot be looked at or removed now is in nobody's way.
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime < LEFTOVER_AGE_S:
                continue
            with part.open("rb") as file:
                abandoned = try_lock(file.fileno())
            if abandoned:
                part.unlink()


@contextmanager
def locked(path: Path, *, timeout_s: float) -> Iterator[None]:
    """Hold a lock file. It stays when the block ends; the system frees it when the holder dies.

    Raises:
        TimeoutError: when others hold it for too long.
    """
    deadline = time.monotonic() + timeout_s
    with path.open("ab") as file:
        while not try_lock(file.fileno()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{path} has been locked by another process for {timeout_s:g} s")
            time.sleep(0.005)
        yield
