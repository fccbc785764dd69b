"""Lists of a vendor that are fetched once a day, and kept in the user's cache folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.files.owner_only import make_private
from tiomagic_domain.files.replacing import replacing

Fetch = Callable[[], Mapping[str, Any]]
"""Asks a vendor for a list."""


def find_today() -> date:
    """Return the day, in UTC."""
    return datetime.now(UTC).date()


class Dated(Protocol):
    """A list that knows its day."""

    @property
    def as_of(self) -> date:
        """The day on which it was fetched."""


T = TypeVar("T", bound=Dated)


class DailyList(Generic[T]):
    """The newest list that was fetched.

    Args:
        file: Where it is kept, in this user's cache; its folder is created with it. None to keep
            none.
        key: The part of the answer that is the list, which alone is kept.
        read: Reads an answer of a day; None for one without anything that is known.
        fetch: Asks the vendor; None for a caller that may not.
        today: Returns the day, in UTC.
    """

    def __init__(
        self,
        file: Path | None,
        key: str,
        read: Callable[[Mapping[str, Any], date], T | None],
        fetch: Fetch | None,
        today: Callable[[], date] = find_today,
    ) -> None:
        self._file = file
        self._key = key
        self._read = read
        self._fetch = fetch
        self._today = today
        self._fetched: T | None = None

    def find(self) -> T | None:
        """Return the newest list, without any request; None when none was fetched."""
        return self._fetched or self._read_file()

    def refresh(self) -> None:
        """Fetch a list, unless there is one of today; what cannot be fetched is left alone."""
        today = self._today()
        newest = self.find()
        if self._fetch is None or (newest is not None and newest.as_of >= today):
            return
        try:
            document = self._fetch()
        except TioMagicError:
            return  # The run itself will say what is wrong with the vendor.
        fetched = self._read(document, today)
        if fetched is not None:
            self._fetched = fetched
            self._write(document, today)

    def _read_file(self) -> T | None:
        if self._file is None:
            return None
        try:
            document = json.loads(self._file.read_text(encoding="utf-8"))
            found = self._read(document, date.fromisoformat(document["as_of"]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None  # Not there, or not whole: it is only a copy.
        # One from the future would never be replaced.
        return None if found is None or found.as_of > self._today() else found

    def _write(self, document: Mapping[str, Any], as_of: date) -> None:
        if self._file is None:
            return
        try:
            make_private(self._file.parent)
            with replacing(self._file) as part:
                part.write_text(
                    json.dumps({"as_of": as_of.isoformat(), self._key: document[self._key]}),
                    encoding="utf-8",
                )
        except OSError:
            return  # The list is known in this process, and fetched again by the next.
