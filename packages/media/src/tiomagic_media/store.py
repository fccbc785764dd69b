"""Stores the bytes of inputs under their hash, so that a job can be run again.

A file has a temporary name while it is hashed and checked, and is then renamed: under final names
    there are only whole, checked files.
"""

from __future__ import annotations

import contextlib
import hashlib
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.files.owner_only import make_private, private_opener
from tiomagic_domain.files.replacing import move_into_place


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrived:
    """Bytes that were received but not yet checked."""

    path: Path
    """Under a temporary name."""
    sha256: str
    """Hex digest."""
    size: int
    """Bytes."""


class InputStore:
    """Files named ``<sha256>.<extension>`` in one folder.

    Args:
        folder: Made when the first file arrives.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @contextlib.contextmanager
    def receive(self, chunks: Iterable[bytes]) -> Iterator[Arrived]:
        """Write bytes to a temporary file, which is gone after the block unless it was kept.

        Raises:
            ProcessingError: when the folder cannot be written or the disk is full.
        """
        with _writing(self._folder):
            make_private(self._folder)
        part = self._folder / f".{uuid.uuid4().hex}.part"
        try:
            yield self._write(part, chunks)
        finally:
            with _writing(self._folder):
                part.unlink(missing_ok=True)

    def _write(self, part: Path, chunks: Iterable[bytes]) -> Arrived:
        digest = hashlib.sha256()
        size = 0
        with _writing(self._folder):
            file = open(part, "xb", opener=private_opener)  # noqa: SIM115 - see _write
        try:
            # Only errors of the write are translated: errors of the source are not this folder's.
            for chunk in chunks:
                digest.update(chunk)
                size += len(chunk)
                with _writing(self._folder):
                    file.write(chunk)
        finally:
            # Closing flushes the rest, and fails again on a full disk.
            with _writing(self._folder):
                file.close()
        return Arrived(path=part, sha256=digest.hexdigest(), size=size)

    def keep(self, arrived: Arrived, extension: str) -> Path:
        """Give received bytes their final name; an existing whole file stays.

        Raises:
            ProcessingError: when the folder cannot be written.
        """
        path = self._path(arrived.sha256, extension)
        if self.is_whole(path, arrived.sha256):
            return path
        with _writing(self._folder):
            move_into_place(arrived.path, path)
        return path

    def find(self, sha256: str) -> Path | None:
        """Return the file with this hash, its bytes checked; None when there is none."""
        candidates = sorted(self._folder.glob(f"{sha256}.*"))
        return next((path for path in candidates if self.is_whole(path, sha256)), None)

    def is_whole(self, path: Path, sha256: str) -> bool:
        """Say whether a file is there and its bytes have this hash."""
        try:
            return sha256_of(path) == sha256
        except OSError:
            return False

    def _path(self, sha256: str, extension: str) -> Path:
        return self._folder / f"{sha256}.{extension}"


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ProcessingError(
            f"the folder of inputs {str(folder)!r} cannot be written: {reason}",
            details={"folder": str(folder)},
            code=ErrorCode.INPUTS_NOT_WRITABLE,
        ) from error
