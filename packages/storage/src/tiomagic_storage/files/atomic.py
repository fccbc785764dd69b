"""Atomic writes of files (temporary file, then rename), and locks between processes."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from filelock import lock_descriptor

from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.durability import is_unsupported, sync_file, sync_folder
from tiomagic_domain.files.owner_only import private_opener
from tiomagic_domain.files.private_folder import open_private, private_folder
from tiomagic_domain.files.replacing import replacing

LEFTOVER_AGE_S = 60.0
"""A temporary file younger than this may belong to a writer that has not locked it yet."""

LOCK_POLL_S = 0.02
"""Seconds between two polls of a lock that another process holds."""

LEFTOVER_AGE_WITHOUT_LOCKS_S = 86_400.0
"""The same age where files cannot be locked."""

_LOG = logging.getLogger("tiomagic.storage")
_WARNED: set[tuple[str, int]] = set()

TEMPORARY_MARKER = ".tiomagic-part"
"""Marks the names of our temporary files; no other program uses it."""


def try_lock(descriptor: int) -> bool:
    """Lock an open file against other processes; False when another one has it.

    Raises:
        OSError: when its file system has no locks.
    """
    return lock_descriptor(descriptor, blocking=False)


@contextmanager
def replace_file(target: Path, *, durable: bool = True) -> Iterator[IO[bytes]]:
    """Yield a hidden file that replaces the target when the block ends without an error.

    After an error the hidden file is removed and the target unchanged. A killed writer leaves its
    file unlocked; ``remove_leftovers`` finds it.

    Args:
        target: Where the content belongs; its folder exists.
        durable: Sync content and name to the disk before the block ends.
    """
    # Synced below, with a warning where the drive does not support it.
    hidden = replacing(target, durable=False, marker=TEMPORARY_MARKER)
    with hidden as part, part.open("xb") as file:
        try:
            try_lock(file.fileno())
        except OSError as error:
            _ignore_if_unsupported(error, part.parent)
        yield file
        file.flush()
        if durable:
            sync_or_warn(file, part.parent)
    if durable and not sync_folder(target.parent):
        _warn_once("sync a folder", target.parent)


def remove_leftovers(folder: Path) -> None:
    """Remove the temporary files of writers that have died."""
    for part in folder.glob(f".*{TEMPORARY_MARKER}*"):
        # A file that cannot be inspected or removed now does no harm.
        with contextlib.suppress(OSError):
            if time.time() - part.stat().st_mtime < LEFTOVER_AGE_S:
                continue
            if _is_abandoned(part):
                part.unlink()


def _is_abandoned(part: Path) -> bool:
    """Return whether no living writer has a temporary file."""
    with part.open("rb") as file:
        try:
            return try_lock(file.fileno())
        except OSError:
            # Without locks only the age tells; no write takes a day.
            return time.time() - part.stat().st_mtime > LEFTOVER_AGE_WITHOUT_LOCKS_S


def sync_or_warn(file: IO[bytes], folder: Path) -> None:
    """Sync the content of a file to the disk, where its file system supports it."""
    if not sync_file(file.fileno()):
        _warn_once("sync a file", folder)


def _ignore_if_unsupported(error: OSError, folder: Path) -> None:
    """Ignore the error if it means that the file system has no locks.

    Raises:
        OSError: the same, when it is another error.
    """
    if not is_unsupported(error):
        raise error
    _warn_once("lock a file", folder)


def _warn_once(what: str, folder: Path) -> None:
    """Warn once for each file system about what it does not support."""
    with contextlib.suppress(OSError):
        device = folder.stat().st_dev
        if (what, device) not in _WARNED:
            _WARNED.add((what, device))
            _LOG.warning("the drive of %s cannot %s: going on without", folder, what)


@contextmanager
def lock_file(path: Path, *, timeout_s: float, owner_only: bool = False) -> Iterator[None]:
    """Hold a lock file. The file stays; the kernel releases the lock if the owner dies.

    Args:
        path: The file, made if it does not exist.
        timeout_s: Most seconds to wait.
        owner_only: A new file is closed to other users.

    Raises:
        TimeoutError: when another process holds it for too long.
    """
    begun = time.monotonic()
    with open(path, "ab", opener=private_opener if owner_only else None) as file:
        while not _try_lock_or_warn(file, path.parent):
            waited = time.monotonic() - begun
            if waited > timeout_s:
                raise TimeoutError(f"{path} has been locked by another process for {waited:.1f} s")
            time.sleep(0.005)
        yield


def _try_lock_or_warn(file: IO[bytes], folder: Path) -> bool:
    try:
        return try_lock(file.fileno())
    except OSError as error:
        _ignore_if_unsupported(error, folder)
        return True


@contextmanager
def hold_user_lock(name: str, *, timeout_s: float) -> Iterator[bool]:
    """Hold a lock of this user for the block; yield False when another process keeps it too long.

    The kernel releases it if the owner dies. Its file is removed after use. Where the file system
    has no locks, every caller gets it.

    Args:
        name: Of what is held, any text.
        timeout_s: Most seconds to wait; 0 to try once.
    """
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:32]
    deadline = time.monotonic() + timeout_s
    try:
        path = private_folder() / f"{digest}.lock"
        held = _acquire_lock_file(path, deadline)
    except (OSError, ProcessingError):
        yield True  # Without a lock a video may be fetched twice, which is better than never.
        return
    try:
        yield held is not None
    finally:
        if held is not None:
            # Removed while it is held: a waiter sees that its file is gone, and makes a new one.
            with contextlib.suppress(OSError):
                path.unlink()
            os.close(held)


def _acquire_lock_file(path: Path, deadline: float) -> int | None:
    """Return a descriptor of the lock file that has the name, locked; None when time is up."""
    while True:
        descriptor = open_private(path)
        try:
            is_ours = try_lock(descriptor)
            if is_ours and _is_same_file(path, descriptor):
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)
        if is_ours:
            continue  # The last owner has removed the file: lock the new one.
        if time.monotonic() >= deadline:
            return None
        time.sleep(LOCK_POLL_S)


def _is_same_file(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
