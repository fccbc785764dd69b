"""Keys of clients, of which only digests are stored.

A key is 32 random bytes, so that a plain SHA-256 suffices: there is nothing to guess. The file is
in the state folder, for its owner only, and is read again when it changes: a removed key is refused
at once, by all processes that share the folder.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import re
import secrets
import threading
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from filelock import FileLock

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    ConfigurationError,
    Problem,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.files.owner_only import FILE_MODE, make_private
from tiomagic_domain.files.replacing import replacing
from tiomagic_domain.suggestions import did_you_mean, shorten_repr

FILE: Final = "server_keys.json"
"""The file in the state folder."""
PREFIX: Final = "tio-"
"""Beginning of every key, by which people and scanners of secrets recognise one."""
KEY_BYTES: Final = 32
LOCK_TIMEOUT_S: Final = 10
DEFAULT_JOBS_PER_MINUTE: Final = 60
MAX_JOBS_PER_MINUTE: Final = 100_000
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,39}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientKey:
    """A key of a client, without the key itself."""

    name: str
    """Who has it; also its id, and the owner of its jobs."""
    digest: str
    """SHA-256 of the key, in hexadecimal digits."""
    created: str
    """When it was made, ISO 8601 with zone."""
    jobs_per_minute: int = DEFAULT_JOBS_PER_MINUTE
    """Most jobs that it may submit in a minute."""


class ClientKeys:
    """The keys of a server's clients. Thread-safe, and safe for several processes.

    Args:
        state_dir: Where the file is.
    """

    def __init__(self, state_dir: Path) -> None:
        self._path = state_dir / FILE
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._known: tuple[ClientKey, ...] = ()

    def list(self) -> Sequence[ClientKey]:
        """Return all keys, oldest first.

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

    def find(self, key: str) -> ClientKey | None:
        """Return what is known of a key; None for an unknown one."""
        digest = _digest(key)
        return next((one for one in self.list() if hmac.compare_digest(one.digest, digest)), None)

    def add(self, name: str, jobs_per_minute: int = DEFAULT_JOBS_PER_MINUTE) -> str:
        """Make a key and return it; it cannot be read again.

        Args:
            name: Who has it: small letters, digits, dots, dashes.
            jobs_per_minute: Most jobs that it may submit in a minute.

        Raises:
            ValidationError: when the name is taken or is none.
        """
        problems = []
        if not _NAME.fullmatch(name):
            message = "must have 1 to 40 small letters, digits, dots, dashes and underscores"
            problems.append(Problem(field="name", message=message, given=shorten_repr(name)))
        if not 1 <= jobs_per_minute <= MAX_JOBS_PER_MINUTE:
            message = f"must be from 1 to {MAX_JOBS_PER_MINUTE}"
            given = shorten_repr(jobs_per_minute)
            problems.append(Problem(field="jobs_per_minute", message=message, given=given))
        if problems:
            raise ValidationError.of(problems, subject="a key")
        key = f"{PREFIX}{secrets.token_urlsafe(KEY_BYTES)}"
        made = ClientKey(
            name=name,
            digest=_digest(key),
            created=datetime.now(UTC).isoformat(timespec="seconds"),
            jobs_per_minute=jobs_per_minute,
        )
        with self._changing() as known:
            if any(one.name == name for one in known):
                message = "has a key already: remove it first, or choose another name"
                problem = Problem(field="name", message=message, given=shorten_repr(name))
                raise ValidationError.of([problem], subject="a key")
            self._write([*known, made])
        return key

    def remove(self, name: str) -> None:
        """Remove a key. Its jobs stay.

        Raises:
            ResourceNotFoundError: when nobody of that name has one.
        """
        with self._changing() as known:
            kept = [one for one in known if one.name != name]
            if len(kept) == len(known):
                names = [one.name for one in known]
                raise ResourceNotFoundError(f"there is no key {name!r}.{did_you_mean(name, names)}")
            self._write(kept)

    def _changing(self) -> _Changing:
        make_private(self._path.parent)
        return _Changing(self)

    def _read(self) -> tuple[ClientKey, ...]:
        try:
            entries: list[dict[str, Any]] = json.loads(self._path.read_text("utf-8"))["keys"]
            return tuple(ClientKey(**entry) for entry in entries)
        except (ValueError, KeyError, TypeError) as error:
            raise ConfigurationError(
                f"{self._path} is damaged ({error}): put a whole one in its place, or remove it "
                "and make new keys",
                code=ErrorCode.CONFIGURATION,
            ) from error

    def _write(self, keys: Sequence[ClientKey]) -> None:
        text = json.dumps({"keys": [asdict(one) for one in keys]}, indent=2)
        with replacing(self._path) as part:
            part.touch(mode=FILE_MODE)
            part.write_text(text, encoding="utf-8")


class _Changing:
    """Holds the file's lock; gives the keys as they are within it."""

    def __init__(self, keys: ClientKeys) -> None:
        self._keys = keys
        self._lock = FileLock(f"{keys._path}.lock", timeout=LOCK_TIMEOUT_S)  # noqa: SLF001 - its part

    def __enter__(self) -> Sequence[ClientKey]:
        self._lock.acquire()
        try:
            return self._keys.list()
        except BaseException:
            self._lock.release()
            raise

    def __exit__(self, *_: object) -> None:
        self._lock.release()


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
