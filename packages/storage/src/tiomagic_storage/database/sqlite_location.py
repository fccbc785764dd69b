"""The path of a SQLite database from its URL, and its permissions: only its owner may read it."""

from __future__ import annotations

import contextlib
import os
import re
import stat
import sys
from pathlib import Path
from typing import Final
from urllib.parse import unquote

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.files.owner_only import FILE_MODE, restrict_to_owner

EXAMPLE_URLS = "sqlite:///.tiomagic/jobs.db or postgresql://user:password@host/database"

_URL: Final = re.compile(
    r"sqlite(?:\+pysqlite)?://(?:/(?P<path>[^?]*))?(?P<query>\?.*)?", re.DOTALL | re.IGNORECASE
)


def path_of_url(url: str) -> Path | None:
    """Return the absolute path that a SQLite URL names; None for a URL of another kind.

    In the URL a character of the path may be percent-encoded. A question mark and a percent sign
    must be (``%3F`` and ``%25``), and so must bytes that are not text.

    Raises:
        ConfigurationError: when it names no file.
    """
    parts = _URL.fullmatch(url)
    if parts is None:
        return None
    name = unquote(parts["path"] or "", errors="surrogateescape")
    if parts["query"] and not name.startswith("file:"):
        raise ConfigurationError(
            "the database URL goes on behind a question mark. In a path it is written as %3F; "
            "options are none to be set there",
            code=ErrorCode.DATABASE_URL,
        )
    if name in {"", ":memory:"} or name.startswith("file:"):
        raise ConfigurationError(
            "jobs are kept in a file that several processes share; the database URL should look "
            f"like {EXAMPLE_URLS}",
            code=ErrorCode.DATABASE_URL,
        )
    # Absolute, so that a later change of the working directory does not change the file.
    return Path(name).expanduser().absolute()


def create_private_file(path: Path) -> None:
    """Create an empty database that only its owner may read, or restrict an existing one so.

    SQLite gives its companion files the same permissions. Errors are left to SQLite, whose messages
    say more.
    """
    with contextlib.suppress(OSError):
        try:
            _create_file(path)
        except FileExistsError:
            for each in (path, *(path.with_name(path.name + end) for end in ("-wal", "-shm"))):
                restrict_to_owner(each)


def _create_file(path: Path) -> None:
    if sys.platform == "linux":
        # Never open the file here: closing it releases the locks that SQLite has on it (POSIX).
        os.mknod(path, FILE_MODE | stat.S_IFREG)
    else:  # pragma: no cover - the tests run on Linux.
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
