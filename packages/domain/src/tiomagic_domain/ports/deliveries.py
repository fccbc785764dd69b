"""Port: deliveries of webhooks, kept beside the jobs that they are about.

::

    waiting ──► due ──► delivered
    the job      │ ▲
    is not over  │ └─ an attempt failed: due again, later
                 └────► given_up

A delivery is stored before its job is submitted, so that no job can end without one. Whoever works
on it first moves ``next_at`` to the end of the time that this may take, by compare-and-swap: of
several processes one succeeds, and if it dies, the others come to it when that time is over.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class DeliveryState(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    """Its job is not over."""
    DUE = "due"
    """It is to be sent, at ``next_at``."""
    DELIVERED = "delivered"
    GIVEN_UP = "given_up"

    @property
    def is_settled(self) -> bool:
        """True when nothing more is sent."""
        return self in {DeliveryState.DELIVERED, DeliveryState.GIVEN_UP}


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """One message to one address about one job. A value: every change returns a new one."""

    webhook_id: str
    """The same in each attempt, so that the receiver recognises a repeat."""
    job_id: str
    receiver: str
    """Whose secret signs it."""
    url: str
    host: str
    """Name and port of the address, to bound what is sent to one at once."""
    form: str
    """Which form the message has."""
    base: str
    """Address of the API under which the job was made; for addresses in the message."""
    created_at: datetime
    """With zone."""
    next_at: datetime
    """When to look at its job, or to send it, with zone."""
    state: DeliveryState = DeliveryState.WAITING
    event: str | None = None
    """Type of the event; None while its job is not over."""
    payload: str | None = None
    """The message, byte for byte the same in each attempt; None while its job is not over."""
    attempts: int = 0
    """How many have ended."""
    answer: int | None = None
    """Status of the last answer; None when there was none."""
    trouble: str = ""
    """Why the last attempt failed; empty if it did not."""
    settled_at: datetime | None = None
    """When it was delivered or given up, with zone; None until then."""
    version: int = 1
    """Incremented by each save."""


class Deliveries(Protocol):
    """Keeps deliveries. Safe for several threads and several processes."""

    def add(self, deliveries: Sequence[Delivery]) -> None:
        """Store new deliveries durably, all or none."""
        ...

    def save(self, delivery: Delivery) -> Delivery | None:
        """Store a changed delivery, unless it was saved since it was read (compare-and-swap).

        Returns:
            The delivery as stored, with ``version`` one higher; None when another process was
            faster, or it is gone.
        """
        ...

    def find(self, webhook_id: str) -> Delivery | None:
        """Return a delivery; None when there is none of this id."""
        ...

    def of_job(self, job_id: str) -> list[Delivery]:
        """Return the deliveries of a job, in the order of their ids."""
        ...

    def find_due(self, at: datetime, limit: int, busy: Collection[str] = ()) -> list[Delivery]:
        """Return what is to be sent, the longest due first.

        Args:
            at: The moment, with zone.
            limit: Most deliveries.
            busy: Hosts that are left out.
        """
        ...

    def find_ended(self, limit: int) -> list[Delivery]:
        """Return waiting deliveries whose jobs are over."""
        ...

    def find_unseen(self, at: datetime, limit: int, unsent_before: datetime) -> list[Delivery]:
        """Return waiting deliveries whose jobs are to be looked at, the longest due first.

        A job that was stored and not sent yet is about to be: it is looked at only when it is old.

        Args:
            at: The moment, with zone.
            limit: Most deliveries.
            unsent_before: When a job that was not sent must have been stored to be looked at.
        """
        ...

    def discard(self, job_id: str) -> None:
        """Delete all deliveries of a job."""
        ...

    def prune(self, *, settled_before: datetime, orphaned_before: datetime) -> int:
        """Delete what was settled long ago, and what waits for a job that is not stored.

        Args:
            settled_before: With zone.
            orphaned_before: When deliveries without a job must have been stored to be deleted.

        Returns:
            How many were deleted.
        """
        ...

    def list(
        self, limit: int, *, receiver: str | None = None, state: DeliveryState | None = None
    ) -> list[Delivery]:
        """Return deliveries, newest first."""
        ...


class KeepsDeliveries(ABC):
    """Base of a job repository that keeps deliveries as well."""

    @property
    @abstractmethod
    def deliveries(self) -> Deliveries:
        """The deliveries, in the same database as the jobs."""
