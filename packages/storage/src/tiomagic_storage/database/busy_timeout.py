"""Retries SQLite statements while the database is busy, with one timeout for every statement.

SQLite answers "busy" for many reasons: another process writes, recovers the log after a crash,
makes the file WAL, or closes it. In every case the statement is retried in rounds until
`BUSY_TIMEOUT_S` is over, and the error then gives the time that was really waited.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final

BUSY_TIMEOUT_S: Final = 30.0
"""How long a statement waits for other processes. A write takes about a millisecond, so this
timeout passes only when a process holds the database on purpose."""

SQLITE_WAIT_S = 0.05
"""How long SQLite itself waits in one round. It polls ever more rarely, every 0.1 s in the end, so
late writers overtake early ones: 16 busy processes kept one out for more than `BUSY_TIMEOUT_S`. A
new round gives all the same chance."""

WAITED_ATTRIBUTE: Final = "tiomagic_waited_s"
"""Attribute of an error: the seconds for which its statement was tried."""

_BUSY_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        # The lock of the WAL file was not available, as when many open it at once.
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_busy(error: BaseException) -> bool:
    """Return whether the error means that other processes hold the database."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code; the rest says where in SQLite it came from.
    return isinstance(code, int) and code & 0xFF in _BUSY_CODES


class RetryingCursor(sqlite3.Cursor):
    """A cursor that retries statements while other processes hold the database."""

    def execute(self, *call: Any) -> RetryingCursor:
        """Execute a statement; see ``sqlite3.Cursor``."""
        _retry_while_busy(super().execute, call)
        return self

    def executemany(self, *call: Any) -> RetryingCursor:
        """Execute a statement for many rows; see ``sqlite3.Cursor``."""
        _retry_while_busy(super().executemany, call)
        return self


class RetryingConnection(sqlite3.Connection):
    """A connection that retries all of its statements while the database is busy."""

    def cursor(self, factory: Any = RetryingCursor) -> Any:
        """Return a cursor; see ``sqlite3.Connection``."""
        return super().cursor(factory)

    def execute(self, *call: Any) -> RetryingCursor:
        """Execute a statement by a cursor of its own; see ``sqlite3.Connection``."""
        # The inherited one makes a plain cursor.
        return RetryingCursor(self).execute(*call)

    def executemany(self, *call: Any) -> RetryingCursor:
        """Execute a statement for many rows; see ``sqlite3.Connection``."""
        return RetryingCursor(self).executemany(*call)


def _retry_while_busy(statement: Callable[..., object], call: tuple[Any, ...]) -> None:
    """Run a statement, retrying it in rounds while the database is busy; see `BUSY_ROUND_S`."""
    begun = time.monotonic()
    while True:
        try:
            statement(*call)
        except sqlite3.OperationalError as error:
            waited = time.monotonic() - begun
            if not is_busy(error) or waited > BUSY_TIMEOUT_S:
                setattr(error, WAITED_ATTRIBUTE, waited)
                raise
            # SQLite does not wait where that could deadlock, as when two switch a file to WAL.
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - apart, not secret
        else:
            return
