"""The deliveries of webhooks over a SQL database."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from sqlalchemy import ColumnElement, delete, insert, select, update

from tiomagic_domain.jobs.status import TERMINAL
from tiomagic_domain.ports.deliveries import Delivery, DeliveryState
from tiomagic_storage.database.engine import Database
from tiomagic_storage.database.tables import deliveries, escape_text, format_time, jobs

_OVER: Final = [status.value for status in TERMINAL]
_SETTLED: Final = [state.value for state in DeliveryState if state.is_settled]
_IS_WAITING: Final = deliveries.c.state == DeliveryState.WAITING.value


class SqlDeliveries:
    """Keeps deliveries beside the jobs; ``SqlJobRepository.deliveries`` has it.

    Each change is a single conditional statement: of two processes that race, one gets it.

    Args:
        database: With its tables created.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, new: Sequence[Delivery]) -> None:
        """Store new deliveries durably, all or none."""
        if not new:
            return
        with self._database.connection() as connection:
            # Many rows in one statement: the connection commits each statement by itself.
            connection.execute(insert(deliveries).values([_to_row(one) for one in new]))

    def save(self, delivery: Delivery) -> Delivery | None:
        """Store a changed delivery, unless it was saved since it was read; see the port."""
        saved = replace(delivery, version=delivery.version + 1)
        unchanged = (deliveries.c.webhook_id == delivery.webhook_id) & (
            deliveries.c.version == delivery.version
        )
        with self._database.connection() as connection:
            written = connection.execute(update(deliveries).where(unchanged).values(_to_row(saved)))
        return saved if written.rowcount else None

    def find(self, webhook_id: str) -> Delivery | None:
        """Return a delivery; None when there is none of this id."""
        found = self._select(deliveries.c.webhook_id == webhook_id, limit=1)
        return found[0] if found else None

    def of_job(self, job_id: str) -> list[Delivery]:
        """Return the deliveries of a job, in the order of their ids."""
        found = self._select(deliveries.c.job_id == job_id)
        return sorted(found, key=lambda one: one.webhook_id)

    def find_due(self, at: datetime, limit: int, busy: Collection[str] = ()) -> list[Delivery]:
        """Return what is to be sent, the longest due first; see the port."""
        is_due = deliveries.c.state == DeliveryState.DUE.value
        wanted = [is_due, deliveries.c.next_at <= format_time(at)]
        if busy:
            wanted.append(deliveries.c.host.not_in([escape_text(host) for host in busy]))
        return self._select(*wanted, order=deliveries.c.next_at, limit=limit)

    def find_ended(self, limit: int) -> list[Delivery]:
        """Return waiting deliveries whose jobs are over."""
        is_over = jobs.c.status.in_(_OVER)
        ended = select(jobs.c.job_id).where(jobs.c.job_id == deliveries.c.job_id, is_over)
        return self._select(_IS_WAITING, ended.exists(), limit=limit)

    def find_unseen(self, at: datetime, limit: int, unsent_before: datetime) -> list[Delivery]:
        """Return waiting deliveries whose jobs are to be looked at; see the port."""
        was_sent = jobs.c.call_id.is_not(None) | jobs.c.queue.is_not(None)
        is_old = jobs.c.creation_time <= format_time(unsent_before)
        open_ = select(jobs.c.job_id).where(
            jobs.c.job_id == deliveries.c.job_id, jobs.c.status.not_in(_OVER), was_sent | is_old
        )
        is_due = deliveries.c.next_at <= format_time(at)
        return self._select(
            _IS_WAITING, is_due, open_.exists(), order=deliveries.c.next_at, limit=limit
        )

    def discard(self, job_id: str) -> None:
        """Delete all deliveries of a job."""
        with self._database.connection() as connection:
            connection.execute(delete(deliveries).where(deliveries.c.job_id == job_id))

    def prune(self, *, settled_before: datetime, orphaned_before: datetime) -> int:
        """Delete what was settled long ago, and what waits for a job that is not stored."""
        is_old = deliveries.c.state.in_(_SETTLED) & (
            deliveries.c.settled_at < format_time(settled_before)
        )
        stored = select(jobs.c.job_id).where(jobs.c.job_id == deliveries.c.job_id)
        is_orphan = (
            _IS_WAITING
            & (deliveries.c.created_at < format_time(orphaned_before))
            & ~stored.exists()
        )
        with self._database.connection() as connection:
            return connection.execute(delete(deliveries).where(is_old | is_orphan)).rowcount

    def _select(
        self,
        *wanted: ColumnElement[bool],
        order: ColumnElement[Any] | None = None,
        limit: int | None = None,
    ) -> list[Delivery]:
        statement = select(deliveries).where(*wanted).limit(limit)
        if order is not None:
            statement = statement.order_by(order, deliveries.c.webhook_id)
        with self._database.connection() as connection:
            return [_from_row(row) for row in connection.execute(statement).mappings()]

    def list(
        self, limit: int, *, receiver: str | None = None, state: DeliveryState | None = None
    ) -> list[Delivery]:
        """Return deliveries, newest first."""
        wanted: list[ColumnElement[bool]] = []
        if receiver is not None:
            wanted.append(deliveries.c.receiver == receiver)
        if state is not None:
            wanted.append(deliveries.c.state == state.value)
        return self._select(*wanted, order=deliveries.c.created_at.desc(), limit=limit)


def _to_row(delivery: Delivery) -> dict[str, Any]:
    settled = delivery.settled_at
    return {
        "webhook_id": delivery.webhook_id,
        "version": delivery.version,
        "state": delivery.state.value,
        "next_at": format_time(delivery.next_at),
        "job_id": delivery.job_id,
        "receiver": delivery.receiver,
        "url": escape_text(delivery.url),
        "host": escape_text(delivery.host),
        "form": delivery.form,
        "base": escape_text(delivery.base),
        "created_at": format_time(delivery.created_at),
        "settled_at": None if settled is None else format_time(settled),
        "event": delivery.event,
        "payload": delivery.payload,
        "attempts": delivery.attempts,
        "answer": delivery.answer,
        "trouble": escape_text(delivery.trouble),
    }


def _from_row(row: Mapping[Any, Any]) -> Delivery:
    settled = row["settled_at"]
    return Delivery(
        webhook_id=row["webhook_id"],
        job_id=row["job_id"],
        receiver=row["receiver"],
        url=row["url"],
        host=row["host"],
        form=row["form"],
        base=row["base"],
        created_at=datetime.fromisoformat(row["created_at"]),
        next_at=datetime.fromisoformat(row["next_at"]),
        state=DeliveryState(row["state"]),
        event=row["event"],
        payload=row["payload"],
        attempts=row["attempts"],
        answer=row["answer"],
        trouble=row["trouble"],
        settled_at=None if settled is None else datetime.fromisoformat(settled),
        version=row["version"],
    )
