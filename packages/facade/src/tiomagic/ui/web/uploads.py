"""Files that a browser sends: bounded one by one and in all, kept as they came, and cleared away.

An upload is ``<folder>/<token>/<name>``. Its id is ``upload/<token>/<name>``, and nothing else
leads to it: the token cannot be guessed, and no part of a path is taken from a browser but a name
without separators. The bytes are never looked into here.
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
"""Size of all uploads together, those included that are on their way."""
MAX_UPLOADS: Final = 200
"""How many uploads are kept at most."""
MAX_CONCURRENT_UPLOADS: Final = 8
"""How many may be on their way at once."""
UPLOAD_LIFETIME_S: Final = 24 * 3600
"""Seconds after which an upload is cleared away; a job that has used it has a copy of its own."""
MAX_NAME_CHARACTERS: Final = 80
"""Length of a name; the end is what is kept."""

_ID: Final = re.compile(r"upload/(?P<token>[0-9a-f]{32})/(?P<name>[\w.()+ -]{1,100})")
_FOLDER: Final = re.compile(r"[0-9a-f]{32}|[0-9a-f]{64}")
"""Ours, and those that Gradio has made for earlier versions of this page."""


class UploadRefusedError(Exception):
    """An upload is not taken.

    Args:
        status: Of the answer.
        reason: For the person who sent it.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


@dataclass(frozen=True, slots=True)
class FormFile:
    """A file that a form may hold. Plain data: each page keeps its own."""

    file_id: str
    """What a browser calls it by."""
    path: Path
    """Where its bytes are on this machine; never sent to a browser."""
    name: str
    """What it is called."""

    def as_entry(self) -> dict[str, Any]:
        """Return what a browser gets of it."""
        return {
            "path": self.file_id,
            "url": f"gradio_api/file={self.file_id}",
            "orig_name": self.name,
        }


class Uploads:
    """The files that were sent to a page. Thread-safe.

    Args:
        folder: Where they are kept; made at the first one, for its owner alone.
        clock: Gives the time in seconds, as a file's time of change has it.
    """

    def __init__(self, folder: Path, clock: Callable[[], float] = time.time) -> None:
        self._folder = folder
        self._clock = clock
        self._lock = threading.Lock()
        self._expected = 0
        self._incoming: set[str] = set()

    def find(self, file_id: object) -> FormFile | None:
        """Return an upload; None when there is none of that id, or it has been cleared away."""
        found = _ID.fullmatch(file_id) if isinstance(file_id, str) else None
        if found is None or found["name"].startswith(".") or found["token"] in self._incoming:
            return None
        path = self._folder / found["token"] / found["name"]
        try:
            regular = stat.S_ISREG(path.lstat().st_mode)
        except OSError:
            return None
        return FormFile(found[0], path, found["name"]) if regular else None

    @contextmanager
    def receive_file(self, size: int) -> Iterator[IncomingFile]:
        """Make room for a message with files, and for what is written of it.

        What is not finished when the block ends is deleted.

        Args:
            size: Bytes of the whole message.

        Raises:
            UploadRefusedError: when it is too large, or too many are on their way.
        """
        reception = IncomingFile(self._folder)
        with self._lock:
            if size > MAX_FILE_BYTES + 2**20:  # The rest is what is around the file.
                raise UploadRefusedError(413, f"a file may have {MAX_FILE_BYTES // 2**20} MiB")
            if len(self._incoming) >= MAX_CONCURRENT_UPLOADS:
                raise UploadRefusedError(429, "too many files are on their way: try again soon")
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
        """Delete what is old, and then the oldest until there is room."""
        folders: list[Path] = []
        with suppress(FileNotFoundError):
            folders = [one for one in self._folder.iterdir() if _FOLDER.fullmatch(one.name)]
        kept = sorted(_measure(one) for one in folders if one.name not in self._incoming)
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
            raise UploadRefusedError(429, "too much is on its way: try again soon")


class IncomingFile:
    """The file of one message, while it arrives.

    Args:
        folder: Of all uploads.
    """

    def __init__(self, folder: Path) -> None:
        self.token = secrets.token_hex(16)
        self._folder = folder / self.token
        self._open: BinaryIO | None = None
        self._written = 0
        self.file_ids: list[str] = []
        """Ids of what has arrived."""

    def begin(self, name: str) -> None:
        """Take the next bytes as those of a file.

        Raises:
            UploadRefusedError: when the message has one already.
        """
        if self.file_ids:
            raise UploadRefusedError(413, "one file at a time")
        name = safe_name(name)
        make_private(self._folder)
        path = self._folder / name
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
        """Be done with the file."""
        if self._open is not None:
            self._open.close()
            self._open = None

    def discard(self) -> None:
        """Delete what has arrived."""
        shutil.rmtree(self._folder, ignore_errors=True)


def safe_name(name: str) -> str:
    """Return a name for a file that a browser has called so: without folders, and not hidden."""
    last = replace_invalid_characters(name).replace("\\", "/").rsplit("/", 1)[-1]
    plain = re.sub(r"[^\w.()+ -]", "_", last)[-MAX_NAME_CHARACTERS:]
    while len(plain.encode("utf-8")) > 200:  # A file system counts bytes.
        plain = plain[1:]
    return plain.lstrip(". ").rstrip(" ") or "file"


def _measure(folder: Path) -> tuple[float, int, Path]:
    """Return when something was last put into a folder, and its size."""
    when, size = 0.0, 0
    with suppress(OSError):
        when = folder.lstat().st_mtime
        for file in folder.iterdir():
            facts = file.lstat()
            when, size = max(when, facts.st_mtime), size + facts.st_size
    return when, size, folder
