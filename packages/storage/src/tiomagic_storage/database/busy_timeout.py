"""Connections to SQLite whose every statement waits its turn, those of the set-up included.

SQLite answers "busy" for many reasons: another process writes, recovers the log after a crash,
makes the file WAL, or closes it. Whatever it is that a statement meets, it is tried again in rounds
until `BUSY_TIMEOUT_S` is over, and the error then says for how long it really was.
"""

from __future__ import annotations

import random
import sqlite3
import time
from collections.abc import Callable
from typing import Any, Final

BUSY_TIMEOUT_S: Final = 30.0
"""How long a statement waits for the others. A write takes about a millisecond, so that this many
seconds pass only when a process holds the database on purpose."""

SQLITE_WAIT_S = 0.05
"""How long SQLite itself waits for the writers before it. It looks ever more rarely, every 0.1 s in
the end, so that of many writers the late ones pass those who wait: 16 busy processes kept one out
for more than `BUSY_TIMEOUT_S`. Begun anew after this time, all have the same chance."""

WAITED_ATTRIBUTE: Final = "tiomagic_waited_s"
"""Attribute of an error: the seconds for which its statement was tried."""

_BUSY_CODES: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_LOCKED,
        # The lock of the log could not be had, as when many open it at once.
        sqlite3.SQLITE_PROTOCOL,
    }
)


def is_busy(error: BaseException) -> bool:
    """Return whether SQLite says that others are at it."""
    code = getattr(error, "sqlite_errorcode", None)
    # The low byte is the primary code; the rest says where in SQLite it came from.
    return isinstance(code, int) and code & 0xFF in _BUSY_CODES


class RetryingCursor(sqlite3.Cursor):
    """A cursor whose statements are tried again while others hold the database."""

    def execute(self, *call: Any) -> RetryingCursor:
        """Execute a statement; see ``sqlite3.Cursor``."""
        _retry_while_busy(super().execute, call)
        return self

    def executemany(self, *call: Any) -> RetryingCursor:
        """Execute a statement for many rows; see ``sqlite3.Cursor``."""
        _retry_while_busy(super().executemany, call)
        return self


class RetryingConnection(sqlite3.Connection):
    """A connection all of whose statements are patient."""

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
    """Run a statement, and wait for the others in rounds; see `BUSY_ROUND_S`."""
    begun = time.monotonic()
    while True:
        try:
            statement(*call)
        except sqlite3.OperationalError as error:
            waited = time.monotonic() - begun
            if not is_busy(error) or waited > BUSY_TIMEOUT_S:
                setattr(error, WAITED_ATTRIBUTE, waited)
                raise
            # SQLite answers at once where waiting would not help, as when two make a file WAL.
            time.sleep(random.uniform(0.001, 0.01))  # noqa: S311 - apart, not secret
        else:
            return
