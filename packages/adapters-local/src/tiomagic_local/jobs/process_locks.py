"""Liveness by locked files, for processes in other containers and after a reboot.

A process in another container has no PID here, nor has one from before a reboot. So each process
that claims a job creates a file with its name in the shared state folder, and locks it until it
ends. The kernel releases the lock, whatever ends the process or the machine.

Only local file systems are trusted: a network drive may not share locks between machines, so a file
that is unlocked here may be locked elsewhere.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import sys
import threading
from pathlib import Path

from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.ports.processes import ProcessState

if sys.platform == "win32":  # pragma: no cover - it has no namespaces, and is not asked.

    def lock(_descriptor: int) -> None:
        """Refuse."""
        raise OSError("there are no such locks here")

    is_locked = lock
else:
    import fcntl

    def lock(descriptor: int) -> None:
        """Lock an open file until this process ends.

        Not by ``flock``: a forked child would keep the lock after its parent's death.
        """
        fcntl.lockf(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def is_locked(descriptor: int) -> bool:
        """Return whether another process has locked an open file."""
        try:
            fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return True
        return False


MAX_DEAD_FILES = 128
"""Newest files of dead processes that are kept for later checks."""

LOCAL_FILE_SYSTEMS = frozenset(
    {
        *("bcachefs", "btrfs", "exfat", "ext2", "ext3", "ext4", "f2fs", "jfs", "ntfs3"),
        *("overlay", "ramfs", "reiserfs", "tmpfs", "vfat", "xfs", "zfs"),
    }
)
"""Local file systems of Linux, which only one machine mounts at a time."""

MOUNTS = Path("/proc/self/mountinfo")

_lock_descriptors: dict[tuple[int, Path], int] = {}
"""Descriptors by process and file. They stay open: closing one would release the lock."""
_lock = threading.Lock()


class LivenessLocks:
    """The files of one folder.

    Args:
        folder: Made when it is first needed.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def announce(self, name: str) -> None:
        """Show that this process lives. If that fails, it is visible only by its PID.

        Args:
            name: Of the process, unlike that of any other.
        """
        with _lock, contextlib.suppress(OSError):
            folder = self._folder.resolve()
            key = (os.getpid(), folder / f"{name}.lock")
            if key in _lock_descriptors:
                return
            make_private(folder)
            with contextlib.suppress(OSError):  # A race with another process that removes files.
                self._forget_old(folder)
            _lock_descriptors[key] = _locked_file(key[1])

    def get_state(self, name: str) -> ProcessState:
        """Return whether a process lives, by its file."""
        path = self._folder / f"{name}.lock"
        if not _is_local(self._folder):
            return ProcessState.UNKNOWN
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        except OSError:
            return ProcessState.UNKNOWN
        try:
            return ProcessState.ALIVE if is_locked(descriptor) else ProcessState.DEAD
        except OSError:
            return ProcessState.UNKNOWN
        finally:
            os.close(descriptor)

    def _forget_old(self, folder: Path) -> None:
        """Remove files of dead processes when there are many."""
        files = sorted(folder.glob("*.lock"), key=lambda file: file.stat().st_mtime)
        for file in files[:-MAX_DEAD_FILES]:
            if (os.getpid(), file) not in _lock_descriptors and self.get_state(
                file.stem
            ) is ProcessState.DEAD:
                file.unlink(missing_ok=True)


def _locked_file(path: Path) -> int:
    """Create a file that is locked before it gets its name.

    Raises:
        OSError: when it is there already, or cannot be locked.
    """
    draft = path.with_name(f".{secrets.token_hex(8)}.part")
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        lock(descriptor)
        os.link(draft, path)
    except OSError:
        os.close(descriptor)
        raise
    finally:
        draft.unlink()
    return descriptor


def _is_local(folder: Path) -> bool:
    """Return whether a folder is on a local file system."""
    if sys.platform != "linux":
        return True
    best, kind = "", ""
    try:
        resolved = str(folder.resolve())
        lines = MOUNTS.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return False
    for line in lines:
        fields, _, rest = line.partition(" - ")
        point = re.sub(r"\\(\d{3})", lambda found: chr(int(found[1], 8)), fields.split()[4])
        inside = resolved == point or resolved.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= len(best):
            best, kind = point, rest.split()[0]
    return kind in LOCAL_FILE_SYSTEMS
