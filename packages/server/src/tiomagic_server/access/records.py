"""Records in a file of the state folder, for its owner only.

The file is read again when it changes, so that all processes that share the folder see a change at
once; it is replaced as a whole, under a lock.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Generic, TypeVar

from filelock import FileLock

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.files.owner_only import FILE_MODE, make_private
from tiomagic_domain.files.replacing import replacing

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

R = TypeVar("R", bound="DataclassInstance")

LOCK_TIMEOUT_S: Final = 10


class PrivateRecords(Generic[R]):
    """A list of records in a file. Thread-safe, and safe for several processes.

    Args:
        path: Of the file.
        kind: Class of a record, made from its fields by name.
        title: Field of the file's object that holds the list.
    """

    def __init__(self, path: Path, kind: type[R], title: str) -> None:
        self._path = path
        self._kind = kind
        self._title = title
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._known: tuple[R, ...] = ()

    def list(self) -> Sequence[R]:
        """Return all records, oldest first.

        Raises:
            ConfigurationError: when the file is damaged.
        """
        try:
            found = self._path.stat()
        except FileNotFoundError:
            return ()
        stamp = (found.st_mtime_ns, found.st_size, found.st_ino)
        with self._lock:
            if stamp != self._stamp:
                self._known, self._stamp = self._read(), stamp
            return self._known

    @contextmanager
    def changing(self) -> Iterator[Sequence[R]]:
        """Hold the file's lock, and give the records as they are within it."""
        make_private(self._path.parent)
        with FileLock(f"{self._path}.lock", timeout=LOCK_TIMEOUT_S):
            yield self.list()

    def write(self, records: Sequence[R]) -> None:
        """Replace all records; only within :meth:`changing`."""
        text = json.dumps({self._title: [asdict(one) for one in records]}, indent=2)
        with replacing(self._path) as part:
            part.touch(mode=FILE_MODE)
            part.write_text(text, encoding="utf-8")

    def _read(self) -> tuple[R, ...]:
        try:
            entries: list[dict[str, Any]] = json.loads(self._path.read_text("utf-8"))[self._title]
            return tuple(self._kind(**entry) for entry in entries)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{self._path} is damaged ({error}): put a whole one in its place, or remove it "
                f"and make new {self._title}",
                code=ErrorCode.CONFIGURATION,
            ) from error
