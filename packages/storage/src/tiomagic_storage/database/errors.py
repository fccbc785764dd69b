"""Translates errors of SQLite, PostgreSQL and SQLAlchemy into those of tiomagic, with advice.

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

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError, TioMagicError
from tiomagic_storage.database.busy_timeout import WAITED_ATTRIBUTE, is_busy


@dataclass(frozen=True, slots=True)
class ErrorMapping:
    """The error of tiomagic for a vendor's exception."""

    error: type[TioMagicError]
    advice: str
    """What happened and what helps; follows the name of the database."""
    code: ErrorCode
    retryable: bool = False
    error_on_opening: type[TioMagicError] | None = None
    """The error while the database is being opened, if another: then the setting is at fault."""


_REPLACE_FILE_ADVICE = (
    "move the file away and a new database is made in its place, restore a copy, or set "
    "TIOMAGIC_DATABASE_URL to another place"
)
_UNREACHABLE = ErrorMapping(
    ProcessingError,
    "cannot be opened or written: see that its folder exists, that you may write there and that "
    "no quota is used up, or set TIOMAGIC_DATABASE_URL to another place",
    ErrorCode.DATABASE_UNWRITABLE,
    error_on_opening=ConfigurationError,
)

_LOCKED = ErrorMapping(
    ProcessingError,
    "is locked by another process: end that process or try again",
    ErrorCode.DATABASE_BUSY,
    retryable=True,
)

SQLITE_ERRORS: Final[Mapping[int, ErrorMapping]] = {
    sqlite3.SQLITE_BUSY: _LOCKED,
    sqlite3.SQLITE_LOCKED: _LOCKED,
    sqlite3.SQLITE_PROTOCOL: _LOCKED,
    sqlite3.SQLITE_FULL: ErrorMapping(
        ProcessingError, "cannot grow: the disk is full, free some space", ErrorCode.DISK_FULL
    ),
    sqlite3.SQLITE_NOTADB: ErrorMapping(
        ProcessingError,
        f"is no SQLite database: {_REPLACE_FILE_ADVICE}",
        ErrorCode.DATABASE_UNREADABLE,
        error_on_opening=ConfigurationError,
    ),
    sqlite3.SQLITE_CORRUPT: ErrorMapping(
        ProcessingError,
        f"is damaged: {_REPLACE_FILE_ADVICE}",
        ErrorCode.DATABASE_UNREADABLE,
        error_on_opening=ConfigurationError,
    ),
    sqlite3.SQLITE_CANTOPEN: _UNREACHABLE,
    sqlite3.SQLITE_READONLY: _UNREACHABLE,
    sqlite3.SQLITE_PERM: _UNREACHABLE,
    sqlite3.SQLITE_IOERR: _UNREACHABLE,
}
"""By primary result code of SQLite."""

_OTHER_FAILURE = ErrorMapping(ProcessingError, "could not do what was asked", ErrorCode.DATABASE)
_WRONG_SCHEMA = ErrorMapping(
    ProcessingError,
    "does not have the tables that this version of tiomagic needs: it was changed by hand, or it "
    "belongs to another application",
    ErrorCode.DATABASE_SCHEMA,
    error_on_opening=ConfigurationError,
)

SQLALCHEMY_ERRORS: Final[Mapping[type[Exception], ErrorMapping]] = {
    exc.IntegrityError: ErrorMapping(
        ProcessingError, "refused a value", ErrorCode.DATABASE_CONFLICT
    ),
    exc.DataError: ErrorMapping(ProcessingError, "refused a value", ErrorCode.DATABASE_VALUE),
    exc.ProgrammingError: _WRONG_SCHEMA,
    exc.NotSupportedError: ErrorMapping(
        ProcessingError,
        "is too old for tiomagic: update it",
        ErrorCode.DATABASE_VERSION,
        error_on_opening=ConfigurationError,
    ),
    exc.OperationalError: ErrorMapping(
        ProcessingError,
        "cannot be reached or refused to work: see that it runs and that the URL is right",
        ErrorCode.DATABASE_UNAVAILABLE,
        retryable=True,
        error_on_opening=ConfigurationError,
    ),
    exc.InterfaceError: ErrorMapping(
        ProcessingError,
        "lost the connection: try again",
        ErrorCode.DATABASE_UNAVAILABLE,
        retryable=True,
    ),
    exc.InternalError: _OTHER_FAILURE,
    exc.DatabaseError: _OTHER_FAILURE,
    exc.DBAPIError: _OTHER_FAILURE,
    exc.StatementError: _OTHER_FAILURE,
    exc.TimeoutError: ErrorMapping(
        ProcessingError,
        "is busy with too many threads: try again",
        ErrorCode.DATABASE_BUSY,
        retryable=True,
    ),
    exc.SQLAlchemyError: _OTHER_FAILURE,
}
"""By class of SQLAlchemy."""


@contextmanager
def translate_database_errors(place: str, *, opening: bool = False) -> Iterator[None]:
    """Translate exceptions of SQLAlchemy, sqlite3 and psycopg that leave the block.

    Args:
        place: Path or URL of the database, without a password.
        opening: True while the database is being opened.
    """
    try:
        yield
    except (exc.SQLAlchemyError, sqlite3.Error, UnicodeError) as error:
        outcome = _find_mapping(error)
        kind = (outcome.error_on_opening if opening else None) or outcome.error
        cause = getattr(error, "orig", None) or error
        raise kind(
            f"the database {place} {_describe_error(outcome, cause)} ({_first_line(cause)})",
            details={"database": place},
            code=outcome.code,
            retryable=outcome.retryable,
        ) from error


def _find_mapping(error: Exception) -> ErrorMapping:
    cause = getattr(error, "orig", None) or error
    # The low byte is the primary code; the rest says where in SQLite it came from.
    code = getattr(cause, "sqlite_errorcode", None)
    if isinstance(code, int) and code & 0xFF in SQLITE_ERRORS:
        return SQLITE_ERRORS[code & 0xFF]
    known = (SQLALCHEMY_ERRORS[kind] for kind in type(error).__mro__ if kind in SQLALCHEMY_ERRORS)
    return next(known, _OTHER_FAILURE)


def _describe_error(outcome: ErrorMapping, cause: BaseException) -> str:
    """Return what happened, with the time that was really waited for other processes."""
    waited = getattr(cause, WAITED_ATTRIBUTE, None)
    if outcome is not _LOCKED or not is_busy(cause) or waited is None:
        return outcome.advice
    return f"has been locked by another process for {waited:.1f} s: end that process or try again"


def _first_line(cause: object) -> str:
    return next(iter(str(cause).splitlines()), type(cause).__name__)
