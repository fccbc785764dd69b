"""Vendor exceptions end here.

::

    SQLite's own result code, when there is one
        BUSY LOCKED PROTOCOL            ProcessingError, retryable
        FULL                            ProcessingError
        NOTADB CORRUPT                  ConfigurationError on opening, ProcessingError later
        CANTOPEN READONLY PERM IOERR    the same
    else the class of sqlalchemy.exc, the most specific one of OUTCOMES
    else ProcessingError
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from sqlalchemy import exc

from tiomagic_domain.errors import ConfigurationError, ProcessingError, TioMagicError
from tiomagic_storage.database.busy_timeout import WAITED, is_busy


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a vendor's exception becomes."""

    error: type[TioMagicError]
    advice: str
    """What happened and what helps; follows the name of the database."""
    code: str
    retryable: bool = False
    on_opening: type[TioMagicError] | None = None
    """Another error while the database is being opened, where the setting is to blame."""


_UNUSABLE = (
    "move the file away and a new database is made in its place, restore a copy, or set "
    "TIOMAGIC_DATABASE_URL to another place"
)
_UNREACHABLE = Outcome(
    ProcessingError,
    "cannot be opened or written: see that its folder exists, that you may write there and that "
    "no quota is used up, or set TIOMAGIC_DATABASE_URL to another place",
    "database_unwritable",
    on_opening=ConfigurationError,
)

_HELD = Outcome(
    ProcessingError,
    "is locked by another process: end that process or try again",
    "database_busy",
    retryable=True,
)

SQLITE_OUTCOMES: Final[Mapping[int, Outcome]] = {
    sqlite3.SQLITE_BUSY: _HELD,
    sqlite3.SQLITE_LOCKED: _HELD,
    sqlite3.SQLITE_PROTOCOL: _HELD,
    sqlite3.SQLITE_FULL: Outcome(
        ProcessingError, "cannot grow: the disk is full, free some space", "disk_full"
    ),
    sqlite3.SQLITE_NOTADB: Outcome(
        ProcessingError,
        f"is no SQLite database: {_UNUSABLE}",
        "database_unreadable",
        on_opening=ConfigurationError,
    ),
    sqlite3.SQLITE_CORRUPT: Outcome(
        ProcessingError,
        f"is damaged: {_UNUSABLE}",
        "database_unreadable",
        on_opening=ConfigurationError,
    ),
    sqlite3.SQLITE_CANTOPEN: _UNREACHABLE,
    sqlite3.SQLITE_READONLY: _UNREACHABLE,
    sqlite3.SQLITE_PERM: _UNREACHABLE,
    sqlite3.SQLITE_IOERR: _UNREACHABLE,
}
"""By primary result code of SQLite."""

_FAILED = Outcome(ProcessingError, "could not do what was asked", "database")
_SCHEMA = Outcome(
    ProcessingError,
    "does not have the tables that this version of tiomagic needs: it was changed by hand, or it "
    "belongs to another application",
    "database_schema",
    on_opening=ConfigurationError,
)

OUTCOMES: Final[Mapping[type[Exception], Outcome]] = {
    exc.IntegrityError: Outcome(ProcessingError, "refused a value", "database_conflict"),
    exc.DataError: Outcome(ProcessingError, "refused a value", "database_value"),
    exc.ProgrammingError: _SCHEMA,
    exc.NotSupportedError: Outcome(
        ProcessingError,
        "is too old for tiomagic: update it",
        "database_version",
        on_opening=ConfigurationError,
    ),
    exc.OperationalError: Outcome(
        ProcessingError,
        "cannot be reached or refused to work: see that it runs and that the URL is right",
        "database_unavailable",
        retryable=True,
        on_opening=ConfigurationError,
    ),
    exc.InterfaceError: Outcome(
        ProcessingError, "lost the connection: try again", "database_unavailable", retryable=True
    ),
    exc.InternalError: _FAILED,
    exc.DatabaseError: _FAILED,
    exc.DBAPIError: _FAILED,
    exc.StatementError: _FAILED,
    exc.TimeoutError: Outcome(
        ProcessingError, "is busy with too many threads: try again", "database_busy", retryable=True
    ),
    exc.SQLAlchemyError: _FAILED,
}
"""By class of SQLAlchemy."""


@contextmanager
def translated(place: str, *, opening: bool = False) -> Iterator[None]:
    """Let nothing of SQLAlchemy, sqlite3 or psycopg out of the block.

    Args:
        place: Path or URL of the database, without a password.
        opening: True while the database is being opened.
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
        outcome = _outcome(error)
        kind = (outcome.on_opening if opening else None) or outcome.error
        cause = getattr(error, "orig", None) or error
        raise kind(
            f"the database {place} {_advice(outcome, cause)} ({_first_line(cause)})",
            details={"database": place},
            code=outcome.code,
            retryable=outcome.retryable,
        ) from error


def _outcome(error: Exception) -> Outcome:
    cause = getattr(error, "orig", None) or error
    # The low byte is the primary code; the rest says where in SQLite it came from.
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in SQLITE_OUTCOMES:
        return SQLITE_OUTCOMES[code & 0xFF]
    known = (OUTCOMES[kind] for kind in type(error).__mro__ if kind in OUTCOMES)
    return next(known, _FAILED)


def _advice(outcome: Outcome, cause: BaseException) -> str:
    """Return what happened, with the time that was really waited where others were waited for."""
    waited = getattr(cause, WAITED, None)
    if outcome is not _HELD or not is_busy(cause) or waited is None:
        return outcome.advice
    return f"has been locked by another process for {waited:.1f} s: end that process or try again"


def _first_line(cause: object) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)
