"""Stores the deliveries of a job before the job itself, so that no job ends without them."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    ConfigurationError,
    Problem,
    ResourceNotFoundError,
    ValidationError,
)
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.ports.deliveries import Deliveries, Delivery, DeliveryState, KeepsDeliveries
from tiomagic_domain.requests.preparation import new_job_id
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.jobs.callers import Caller
from tiomagic_server.webhooks.events import MessageForm, build_event
from tiomagic_server.webhooks.receivers import Receiver, WebhookReceivers
from tiomagic_server.webhooks.sending import check_address, find_host

if TYPE_CHECKING:
    from tiomagic import TioMagic

FIELD: Final = "callback_url"
"""The field of a request; OpenRouter's name."""
FIRST_LOOK: Final = timedelta(seconds=2)
"""When a job is looked at for the first time, after it was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Callback:
    """What a request says about messages."""

    url: object = None
    """As it came; None for none."""
    form: MessageForm = MessageForm.OPENAI
    base: str = ""
    """Address of the API of the request."""


NO_CALLBACK: Final = Callback()


class WebhookRegistry:
    """Stores deliveries for the jobs of a server's clients. Thread-safe.

    Args:
        tm: Whose jobs.
        allow_private: True where private addresses may be reached.
    """

    def __init__(self, tm: TioMagic, *, allow_private: bool) -> None:
        self._tm = tm
        self._allow_private = allow_private
        self._receivers = WebhookReceivers(tm.session.settings.state_dir)

    def submit(
        self, submit: Callable[[str], Job], caller: Caller, callback: Callback = NO_CALLBACK
    ) -> Job:
        """Submit a job with its deliveries, and return it.

        Args:
            submit: Submits the job under an id.
            caller: Whose job it is.
            callback: What the request says about messages.

        Raises:
            ValidationError: nothing was stored. ``key_reused`` when the idempotency key was sent
                with another address before.
        """
        job_id = new_job_id()
        planned = self._plan(job_id, caller, callback)
        if not planned:
            return submit(job_id)
        store = find_deliveries(self._tm)
        store.add(planned)
        try:
            job = submit(job_id)
        except BaseException:
            # Of what failed after it was stored the client has a right to hear.
            if not self._is_stored(job_id):
                store.discard(job_id)
            raise
        if job.job_id != job_id:  # The same request was sent before, and has its deliveries.
            store.discard(job_id)
            self._require_same(store.of_job(job.job_id), planned)
        return job

    def note_end(self, job: Job) -> None:
        """Store what the deliveries of a job say, before the job is deleted."""
        if not job.status.is_terminal:
            return
        store = find_deliveries(self._tm)
        for delivery in store.of_job(job.job_id):
            if delivery.state is DeliveryState.WAITING:
                # A loser of the race finds what another process has stored: the same.
                store.save(make_due(delivery, job, self._tm.session.clock.now()))

    def _plan(self, job_id: str, caller: Caller, callback: Callback) -> list[Delivery]:
        own = self._receivers.find(caller.key_id)
        asked = self._read_url(callback.url, own, caller)
        if own is None:
            return []
        now = self._tm.session.clock.now()
        return [
            Delivery(
                webhook_id=f"evt_{uuid.uuid4().hex}",
                job_id=job_id,
                receiver=own.name,
                url=url,
                host=find_host(url),
                form=callback.form.value,
                base=callback.base,
                created_at=now,
                next_at=now + FIRST_LOOK,
            )
            for url in dict.fromkeys(url for url in (own.url, asked) if url is not None)
        ]

    def _read_url(self, url: object, own: Receiver | None, caller: Caller) -> str | None:
        """Return the address that a request names.

        Raises:
            ValidationError: when it is none, may not be reached, or nothing could sign for it.
        """
        if url is None:
            return None
        wrong = check_address(url, allow_private=self._allow_private)
        if wrong is None and own is None:
            wrong = (
                "needs a secret that signs, which this server has not yet for "
                + ("jobs without a key" if caller.key_id is None else f"the key {caller.key_id!r}")
                + ": add a receiver of webhooks on the server first"
            )
        if wrong is not None:
            problem = Problem(field=FIELD, message=wrong, given=shorten_repr(url))
            raise ValidationError.of([problem], subject="the request")
        return str(url).strip()

    def _is_stored(self, job_id: str) -> bool:
        try:
            self._tm.session.container.repository().get(job_id)
        except ResourceNotFoundError:
            return False
        return True

    def _require_same(self, known: Sequence[Delivery], planned: Sequence[Delivery]) -> None:
        # Of a job that is long over the deliveries may be gone.
        if known and {one.url for one in known} != {one.url for one in planned}:
            message = "the idempotency key was sent before with another callback_url"
            raise ValidationError(message, code=ErrorCode.KEY_REUSED)


def find_deliveries(tm: TioMagic) -> Deliveries:
    """Return the deliveries of a job store.

    Raises:
        ConfigurationError: when it keeps none.
    """
    repository = tm.session.container.repository()
    if not isinstance(repository, KeepsDeliveries):
        raise ConfigurationError(
            "this job store keeps no webhooks; use SQLite or PostgreSQL",
            code=ErrorCode.CONFIGURATION,
        )
    return repository.deliveries


def make_due(delivery: Delivery, job: Job, at: datetime) -> Delivery:
    """Return a delivery with its message, to be sent at once.

    Args:
        delivery: One that waits.
        job: Its job, which is over.
        at: The moment, with zone.
    """
    event, payload = build_event(job, delivery.webhook_id, delivery.form, delivery.base)
    return replace(delivery, state=DeliveryState.DUE, event=event, payload=payload, next_at=at)
