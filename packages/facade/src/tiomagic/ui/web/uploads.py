"""Uploaded files: limits on each and on all, stored unchanged, deleted when they expire.

An upload is ``<folder>/<token>/<name>``, and its id is ``upload/<token>/<name>``. The token cannot
be guessed, and the only part of a path that comes from a browser is a name without separators. The
bytes are not parsed here.
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from tiomagic.display.escaping import replace_invalid_characters
from tiomagic_domain.files.owner_only import FILE_MODE, make_private

MAX_FILE_BYTES: Final = 512 * 2**20
"""Size of one file; the same bound as ``tiomagic_media.limits.MediaLimits.bytes``."""
MAX_TOTAL_BYTES: Final = 4 * 2**30
"""Size of all uploads together, unfinished ones included."""
MAX_UPLOADS: Final = 200
"""Most stored uploads."""
MAX_CONCURRENT_UPLOADS: Final = 8
"""Most uploads in progress at once."""
UPLOAD_LIFETIME_S: Final = 24 * 3600
"""Seconds after which an upload is deleted; a job that used it has its own copy."""
MAX_NAME_CHARACTERS: Final = 80
"""Longest name; the end is kept."""

_ID: Final = re.compile(r"upload/(?P<token>[0-9a-f]{32})/(?P<name>[\w.()+ -]{1,100})")
_FOLDER: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
"""Folder names of uploads: ours, and those that Gradio made for earlier versions of this page."""


class UploadRefusedError(Exception):
    """A refused upload.

    Args:
        status: Of the answer.
        reason: For the sender.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file that a form may hold. Plain data: each page keeps its own."""

    file_id: str
    """Its id for the browser."""
    path: Path
    """Its path on this machine; never sent to a browser."""
    name: str
    """Its file name."""

    def as_entry(self) -> dict[str, Any]:
        """Return its data for a browser."""
        return {
            "path": self.file_id,
            "url": f"gradio_api/file={self.file_id}",
            "orig_name": self.name,
        }


class Uploads:
    """The uploads of a page. Thread-safe.

    Args:
        folder: Where they are stored; created with the first one, for its owner only.
        clock: Gives the time in seconds, comparable with a file's mtime.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._expected = 0
        self._incoming: set[str] = set()

    def find(self, file_id: object) -> FormFile | None:
        """Return an upload; None when there is none of that id, or it was deleted."""
        found = _ID.fullmatch(file_id) if isinstance(file_id, str) else None
        if found is None or found["name"].startswith(".") or found["token"] in self._incoming:
            return None
        path = self._folder / found["token"] / found["name"]
        try:
            # lstat: a symbolic link must not lead out of the folder.
            regular = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            return None
        return FormFile(found[0], path, found["name"]) if regular else None

    @contextmanager
    def receive_file(self, size: int) -> Iterator[IncomingFile]:
        """Reserve space for a message with a file, and yield its receiver.

        An unfinished upload is deleted when the block ends.

        Args:
            size: Bytes of the whole message.

        Raises:
            UploadRefusedError: when it is too large, or too many uploads are in progress.
        """
        reception = IncomingFile(self._folder)
        with self._lock:
            # The rest of the message is the form around the file.
            if size > MAX_FILE_BYTES + 2**20:
                raise UploadRefusedError(413, f"a file may have {MAX_FILE_BYTES // 2**20} MiB")
            if len(self._incoming) >= MAX_CONCURRENT_UPLOADS:
                raise UploadRefusedError(429, "too many uploads are in progress: try again soon")
            self._clear(size)
            self._expected += size
            self._incoming.add(reception.token)
        finished = False
        try:
            yield reception
            finished = True
        except OSError as error:
            raise UploadRefusedError(
                507, "it cannot be kept: the disk is full or not writable"
            ) from error
        finally:
            reception.close()
            if not finished:
                reception.discard()
            with self._lock:
                self._expected -= size
                self._incoming.discard(reception.token)

    def clear(self) -> None:
        """Delete what is older than :data:`UPLOAD_LIFETIME_S`."""
        with self._lock:
            self._clear(0)

    def _clear(self, size: int) -> None:
        """Delete expired uploads, and then the oldest until there is room."""
        folders: list[Path] = []
        with suppress(FileNotFoundError):
            folders = [one for one in self._folder.iterdir() if _FOLDER.fullmatch(one.name)]
        kept = sorted(_measure(one) for one in folders if one.name not in self._incoming)
        # Announced bytes count before they arrive, or parallel uploads could exceed the limit.
        total = sum(one[1] for one in kept) + self._expected + size
        while kept:
            when, bytes_, folder = kept[0]
            room = total <= MAX_TOTAL_BYTES and len(kept) + len(self._incoming) < MAX_UPLOADS
            if room and self._clock() - when <= UPLOAD_LIFETIME_S:
                break
            shutil.rmtree(folder, ignore_errors=True)
            total -= bytes_
            del kept[0]
        if total > MAX_TOTAL_BYTES:
            raise UploadRefusedError(429, "too many bytes are being uploaded: try again soon")


class IncomingFile:
    """Receives the file of one message.

    Args:
        folder: Of all uploads.
    """

    def __init__(self, folder: Path) -> None:
        # 128 random bits: the id of an upload cannot be guessed.
        self.token = secrets.token_hex(16)
        self._folder = folder / self.token
        self._open: BinaryIO | None = None
        self._written = 0
        self.file_ids: list[str] = []
        """Ids of the received files."""

    def begin(self, name: str) -> None:
        """Begin a file: the next bytes are its content.

        Raises:
            UploadRefusedError: when the message has one already.
        """
        if self.file_ids:
            raise UploadRefusedError(413, "one file at a time")
        name = safe_name(name)
        make_private(self._folder)
        path = self._folder / name
        # O_EXCL: never over an existing file, nor through a link.
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE)
        self._open = os.fdopen(handle, "wb")
        self.file_ids.append(f"upload/{self.token}/{name}")

    def write(self, chunk: bytes) -> None:
        """Take some bytes.

        Raises:
            UploadRefusedError: when the file is too large.
        """
        self._written += len(chunk)
        if self._written > MAX_FILE_BYTES:
            raise UploadRefusedError(413, f"a file may have {MAX_FILE_BYTES // 2**20} MiB")
        if self._open is not None:
            self._open.write(chunk)

    def close(self) -> None:
        """Finish the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def discard(self) -> None:
        """Delete the received files."""
        shutil.rmtree(self._folder, ignore_errors=True)


def safe_name(name: str) -> str:
    """Return a safe file name from a browser's: without folders, not hidden."""
    last = replace_invalid_characters(name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = re.sub(r"[^\w.()+ -]", "_", last)[-MAX_NAME_CHARACTERS:]
    while len(plain.encode("utf-8")) > 200:  # File systems limit names in bytes.
        plain = plain[1:]
    return plain.lstrip(". ").rstrip(" ") or "file"


def _measure(folder: Path) -> tuple[float, int, Path]:
    """Return a folder's last change and its size."""
    when, size = 0.0, 0
    with suppress(OSError):
        when = folder.lstat().st_mtime
        for file in folder.iterdir():
            facts = file.lstat()
            when, size = max(when, facts.st_mtime), size + facts.st_size
    return when, size, folder
