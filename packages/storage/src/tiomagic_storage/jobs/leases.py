"""The leases over a SQL database."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, insert, select, update
from sqlalchemy.exc import IntegrityError

from tiomagic_domain.errors import LeaseLostError
from tiomagic_domain.ports.leases import Lease
from tiomagic_storage.database.engine import Database
from tiomagic_storage.database.tables import format_time, leases


class SqlLeases:
    """Keeps leases beside the jobs, over the same connections; ``SqlJobRepository.leases`` has it.

    Each change is a single conditional statement: of two processes that race for a lease, one gets
    it.

    Args:
        database: With its tables created.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, name: str) -> Lease | None:
        """Return the lease of this name; None when it is free."""
        with self._database.connection() as connection:
            statement = select(leases).where(leases.c.name == name)
            row = connection.execute(statement).mappings().first()
        return None if row is None else _from_lease_row(row)

    def all(self) -> list[Lease]:
        """Return all leases by name."""
        with self._database.connection() as connection:
            rows = connection.execute(select(leases).order_by(leases.c.name)).mappings().all()
        return [_from_lease_row(row) for row in rows]

    def acquire(
        self,
        name: str,
        owner: str,
        *,
        heartbeat: str,
        at: datetime,
        expected: Lease | None = None,
    ) -> Lease | None:
        """Acquire a lease that is free or expired; see the port."""
        taken = {"owner": owner, "mark": heartbeat, "renewed_at": format_time(at)}
        with self._database.connection() as connection:
            if expected is not None:
                judged = (leases.c.name == name) & _is_unchanged(expected)
                version = expected.version + 1
                statement = update(leases).where(judged).values(beat=version, **taken)
                if connection.execute(statement).rowcount:
                    return _from_lease_row({"name": name, "beat": version, **taken})
            try:
                connection.execute(insert(leases).values(name=name, beat=1, **taken))
            except IntegrityError:
                return None  # The name is the primary key, so another process holds the lease.
        return _from_lease_row({"name": name, "beat": 1, **taken})

    def renew(self, lease: Lease, *, heartbeat: str, at: datetime) -> Lease:
        """Renew the lease (heartbeat); see the port."""
        statement = (
            update(leases)
            .where(_is_held_by_owner(lease))
            .values(beat=leases.c.beat + 1, mark=heartbeat, renewed_at=format_time(at))
            .returning(leases)
        )
        with self._database.connection() as connection:
            row = connection.execute(statement).mappings().first()
        if row is None:
            raise LeaseLostError(
                f"{lease.name!r} is no longer held by {lease.owner!r}",
                details={"name": lease.name, "owner": lease.owner},
            )
        return _from_lease_row(row)

    def release(self, lease: Lease) -> None:
        """Release the lease; no error if it was lost."""
        with self._database.connection() as connection:
            connection.execute(delete(leases).where(_is_held_by_owner(lease)))


def _is_held_by_owner(lease: Lease) -> ColumnElement[bool]:
    # The version is not compared: if the answer to a renewal was lost, the owner has an older one.
    held = (leases.c.name == lease.name) & (leases.c.owner == lease.owner)
    return held & (leases.c.beat >= lease.version)


def _is_unchanged(lease: Lease) -> ColumnElement[bool]:
    return (
        (leases.c.owner == lease.owner)
        & (leases.c.beat == lease.version)
        & (leases.c.mark == lease.heartbeat)
        & (leases.c.renewed_at == format_time(lease.renewed_at))
    )


def _from_lease_row(row: Mapping[Any, Any]) -> Lease:
    return Lease(
        name=row["name"],
        owner=row["owner"],
        version=row["beat"],
        heartbeat=row["mark"],
        renewed_at=datetime.fromisoformat(row["renewed_at"]),
    )
