"""A transaction that one process has at a time, for what must be read and written as one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, func, select


@contextmanager
def hold_exclusively(connection: Connection, lock: int) -> Iterator[None]:
    """Lock out other processes that hold the same lock, and commit all of the block or nothing.

    Args:
        connection: In autocommit. SQLite has one lock, for every writer.
        lock: PostgreSQL's advisory lock; others go on.
    """
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.exec_driver_sql("BEGIN")
        connection.execute(select(func.pg_advisory_xact_lock(lock)))
    try:
        yield
    except BaseException:
        connection.exec_driver_sql("ROLLBACK")
        raise
    connection.exec_driver_sql("COMMIT")
