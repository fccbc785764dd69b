"""The locks of devices as files that the kernel locks for a process, and frees at its death.

=================================  ================================================================
``<device>.device``                locked by the process that uses the device, whose call id it has
``<device>@<time>@<job>.ticket``   locked by a process whose job waits for the device
=================================  ================================================================

They are in the user's own folder for locks, which all projects of the user share, and in the state
folder, which containers with another home share and which outlives the user's session.
"""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote, unquote
from weakref import WeakSet

from filelock import lock_descriptor, unlock_descriptor

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.durability import is_unsupported
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.private_folder import open_private, private_folder
from tiomagic_domain.ports.device_locks import QueuePosition, list_members

FOLDER = "devices"
"""Folder of the state folder, and of the user's folder for locks."""

_LOG = logging.getLogger("tiomagic.local")


class FileLocks:
    """The port ``SystemLock``: several files, of which all are locked or none.

    Args:
        paths: The files. Their folders are made.
        text: What is written into them while they are held.
        keep: Leave the files when they are released, for the next one.
    """

    def __init__(self, paths: Sequence[Path], *, text: str = "", keep: bool = True) -> None:
        self._paths = paths
        self._text = text.encode()
        self._keep = keep
        self._held: list[int] = []
        self._is_held = False
        _locks.add(self)

    def acquire(self) -> bool:
        """Take all of the files if they are free; see the port."""
        if not self._is_held:
            try:
                self._is_held = all(self._lock(path) for path in self._paths)
            except OSError as error:
                raise ProcessingError(
                    f"a device cannot be locked: {error}", code=ErrorCode.NO_DEVICE_LOCK
                ) from error
            finally:
                if not self._is_held:
                    self.release()
        return self._is_held

    def release(self) -> None:
        """Release the files; see the port."""
        if self._is_held and not self._keep:
            for path in self._paths:
                # Removed while locked: a waiter sees that its file is gone.
                with contextlib.suppress(OSError):
                    path.unlink()
        self._is_held = False
        while self._held:
            descriptor = self._held[-1]
            with contextlib.suppress(OSError):  # Closing it does the same, unless it was forked.
                unlock_descriptor(descriptor)
            os.close(self._held.pop())

    def _lock(self, path: Path) -> bool:
        make_private(path.parent)
        while True:
            # Recorded at once, so that an interrupt cannot lose a lock.
            self._held.append(open_private(path))
            descriptor = self._held[-1]
            try:
                if not lock_descriptor(descriptor, blocking=False):
                    return False
            except OSError as error:
                if not is_unsupported(error):
                    raise
                _warn_unlocked(path.parent)
                return True
            if _has_name(path, descriptor):
                break
            os.close(self._held.pop())  # Its owner has removed it.
        os.ftruncate(descriptor, 0)
        os.write(descriptor, self._text)
        return True

    def _forget(self) -> None:
        """Close what a forked child has of its parent's locks, which would outlive the parent."""
        while self._held:
            os.close(self._held.pop())
        self._is_held = False

    __del__ = release


_locks: WeakSet[FileLocks] = WeakSet()


def _forget_all() -> None:
    for lock in list(_locks):
        lock._forget()  # noqa: SLF001 - of this module


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_all)


class FileDeviceLocks:
    """The port ``DeviceLocks`` over files.

    Args:
        state_dir: The state folder, which all that share the jobs share as well.
    """

    def __init__(self, state_dir: Path) -> None:
        self._state_dir = state_dir

    @functools.cached_property
    def _folders(self) -> list[Path]:
        own = self._state_dir.absolute() / FOLDER
        try:
            return [private_folder() / FOLDER, own]
        except ProcessingError as error:
            _LOG.warning("devices are not shared with other projects: %s", error.message)
            return [own]

    def device(self, slot: str, owner: str) -> FileLocks:
        """Return the lock of a device; see the port."""
        return FileLocks(self._device_paths(slot), text=owner)

    def ticket(self, slot: str, position: QueuePosition) -> FileLocks:
        """Return the lock that shows that a job waits; see the port."""
        name = quote("@".join(position), safe="@")
        paths = [
            folder / f"{_file_name(member)}@{name}.ticket"
            for folder in self._folders
            for member in list_members(slot)
        ]
        return FileLocks(paths, keep=False)

    def list_waiting(self, slot: str) -> list[QueuePosition]:
        """Return the places of all tickets, in order; see the port."""
        found = set()
        for member in list_members(slot):
            for folder in self._folders:
                for path in folder.glob(f"{_file_name(member)}@*.ticket"):
                    _device, at, job_id = path.name.removesuffix(".ticket").rsplit("@", 2)
                    position = unquote(at), unquote(job_id)
                    if position not in found and _is_held(path):
                        found.add(position)
        return sorted(found)

    def is_free(self, slot: str) -> bool:
        """Return whether a device is free; see the port."""
        return not any(path.exists() and _is_held(path) for path in self._device_paths(slot))

    def find_owner(self, slot: str) -> str | None:
        """Return the owner of a busy device; see the port."""
        for path in self._device_paths(slot):
            with contextlib.suppress(OSError):
                if _is_held(path) and (owner := path.read_text(encoding="utf-8")):
                    return owner
        return None

    def _device_paths(self, slot: str) -> list[Path]:
        members = list_members(slot)
        return [f / f"{_file_name(member)}.device" for f in self._folders for member in members]


def _file_name(slot: str) -> str:
    return quote(slot, safe="")


def _has_name(path: Path, descriptor: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _is_held(path: Path) -> bool:
    """Return whether a live process has locked a file; tickets of dead ones are removed.

    Raises:
        ProcessingError: when it cannot be read.
    """
    try:
        descriptor = open_private(path)
        try:
            if not lock_descriptor(descriptor, blocking=False):
                return True
            if path.suffix == ".ticket":
                with contextlib.suppress(OSError):  # Windows removes no open file.
                    path.unlink()
        finally:
            os.close(descriptor)
    except OSError as error:
        if not is_unsupported(error):
            raise ProcessingError(
                f"the lock {path} cannot be read: {error.strerror or error}",
                code=ErrorCode.NO_DEVICE_LOCK,
            ) from error
        _warn_unlocked(path.parent)
    return False


@functools.cache
def _warn_unlocked(folder: Path) -> None:
    """Warn once about a drive without locks."""
    _LOG.warning("the drive of %s cannot lock a file: its devices are not shared by it", folder)
