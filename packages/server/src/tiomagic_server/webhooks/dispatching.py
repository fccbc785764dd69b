"""Finds what is to be sent, and sends it, beside the other processes of the server.

All that is known is in the job store. Whoever takes a delivery moves its next time to the end of a
lease, by compare-and-swap: the others leave it alone until then, and come to it if its process
died.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import anyio
import anyio.to_thread
from anyio import CancelScope, CapacityLimiter
from anyio.abc import TaskGroup

from tiomagic.display.journal import get_logger
from tiomagic_domain.errors import ResourceNotFoundError, TioMagicError
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.lifecycle.sending import SENDING_TIME
from tiomagic_domain.ports.deliveries import Deliveries, Delivery, DeliveryState
from tiomagic_domain.ports.provider import RETRY_AFTER
from tiomagic_server.webhooks.receivers import WebhookReceivers
from tiomagic_server.webhooks.registering import find_deliveries, make_due
from tiomagic_server.webhooks.schedule import AttemptOutcome, record_attempt
from tiomagic_server.webhooks.sending import WebhookSender

if TYPE_CHECKING:
    from tiomagic import TioMagic

TICK_S: Final = 1.0
"""Seconds between two looks at the store while there is nothing to do."""
REST: Final = timedelta(seconds=30)
"""The same while nothing could be signed, since there is no secret."""
MOST_AT_ONCE: Final = 16
"""Messages that one process sends at once."""
MOST_TO_ONE_HOST: Final = 8
"""Messages that one process sends to one host at once: a slow one must not hold up the others."""
LEASE: Final = timedelta(seconds=30)
"""How long a process has for an attempt, which ends after 20 s."""
LOOKS_AT_ONCE: Final = 8
"""Jobs whose runs are looked at in one round."""
SHORTEST_LOOK: Final = timedelta(seconds=2)
LONGEST_LOOK: Final = timedelta(minutes=1)
"""A job is looked at after a tenth of its age, within these bounds."""
KEPT: Final = timedelta(days=30)
"""How long a settled delivery can be seen."""
ORPHANED: Final = timedelta(days=1)
"""When deliveries of a job that was never stored are deleted."""
PRUNE_EVERY: Final = timedelta(hours=1)
FAREWELL_S: Final = 5.0
"""Seconds that attempts have to end when the server is stopped."""
SETTLE_ATTEMPTS: Final = 3


class WebhookDispatcher:
    """Sends the messages of a server's clients.

    Args:
        tm: Whose job store.
        sender: Posts them.
        receivers: Whose secrets sign.
    """

    def __init__(self, tm: TioMagic, sender: WebhookSender, receivers: WebhookReceivers) -> None:
        self._tm = tm
        self._sender = sender
        self._receivers = receivers
        self._busy: Counter[str] = Counter()
        self._scopes: set[CancelScope] = set()
        self._has_ended = anyio.Event()
        self._threads = CapacityLimiter(MOST_AT_ONCE + 1)
        self._prune_at: datetime | None = None
        self._rest_until: datetime | None = None

    async def run(self) -> None:
        """Send until this task is canceled; attempts that are under way have a moment to end."""
        async with anyio.create_task_group() as attempts:
            try:
                while True:
                    self._has_ended = anyio.Event()
                    if not await self._begin(attempts):
                        with anyio.move_on_after(TICK_S):
                            await self._has_ended.wait()
            finally:
                with anyio.move_on_after(FAREWELL_S, shield=True):
                    while self._scopes:
                        self._has_ended = anyio.Event()
                        await self._has_ended.wait()
                for scope in self._scopes:
                    scope.cancel()

    async def _begin(self, attempts: TaskGroup) -> bool:
        """Begin what is to be sent now, and return whether that was anything."""
        self._busy = +self._busy  # Without the hosts to which nothing is on its way.
        busy = Counter(self._busy)
        try:
            taken = await anyio.to_thread.run_sync(lambda: self._take(busy), limiter=self._threads)
        except TioMagicError as error:
            get_logger().warning("run.troubled", error=error.message, code=error.code)
            return False
        for delivery in taken:
            self._busy[delivery.host] += 1
            attempts.start_soon(self._attempt, delivery)
        return bool(taken)

    def _take(self, hosts: Counter[str]) -> Sequence[Delivery]:
        """Take what is to be sent now, as much as this process can send.

        Args:
            hosts: How many messages are on their way to each.
        """
        now = self._tm.session.clock.now()
        if not self._receivers.list():
            if self._rest_until is not None and now < self._rest_until:
                return ()
            self._rest_until = now + REST
        store = find_deliveries(self._tm)
        self._look_at_jobs(store, now)
        for delivery in store.find_ended(MOST_AT_ONCE):
            self._note_end(store, delivery, now)
        taken: list[Delivery] = []
        while (room := MOST_AT_ONCE - hosts.total()) > 0:
            full = [host for host, count in hosts.items() if count >= MOST_TO_ONE_HOST]
            found = store.find_due(now, room, full)
            for delivery in found:
                if hosts[delivery.host] >= MOST_TO_ONE_HOST:
                    continue
                claimed = store.save(replace(delivery, next_at=now + LEASE))
                if claimed is not None:
                    taken.append(claimed)
                    hosts[delivery.host] += 1
            if len(found) < room:
                break
        self._prune(store, now)
        return taken

    def _note_end(self, store: Deliveries, delivery: Delivery, now: datetime) -> None:
        try:
            job = self._tm.session.container.repository().get(delivery.job_id)
        except ResourceNotFoundError:
            return  # It was deleted just now, and that has stored what there is to say.
        store.save(make_due(delivery, job, now))

    def _look_at_jobs(self, store: Deliveries, now: datetime) -> None:
        """Look at the runs of jobs that nobody else may be following."""
        for delivery in store.find_unseen(now, LOOKS_AT_ONCE, now - SENDING_TIME):
            job = self._find_job(delivery.job_id)
            pause = SHORTEST_LOOK if job is None else _choose_pause(job, now)
            if store.save(replace(delivery, next_at=now + pause)) is None:
                continue  # Another process does it.
            try:
                self._tm.session.generation.check(delivery.job_id)
            except TioMagicError as error:
                get_logger().warning("run.troubled", error=error.message, code=error.code)

    def _find_job(self, job_id: str) -> Job | None:
        try:
            found: Job = self._tm.session.container.repository().get(job_id)
        except TioMagicError:
            return None
        return found

    def _prune(self, store: Deliveries, now: datetime) -> None:
        if self._prune_at is not None and now < self._prune_at:
            return
        self._prune_at = now + PRUNE_EVERY
        store.prune(settled_before=now - KEPT, orphaned_before=now - ORPHANED)

    async def _attempt(self, delivery: Delivery) -> None:
        # A message that is on its way when the server is stopped has a moment to arrive.
        with CancelScope(shield=True) as scope:
            self._scopes.add(scope)
            try:
                await anyio.to_thread.run_sync(
                    lambda: self._send(delivery), limiter=self._threads, abandon_on_cancel=True
                )
            except TioMagicError as error:  # The store: the lease ends, and it is sent again.
                get_logger().warning("run.troubled", error=error.message, code=error.code)
            finally:
                self._scopes.discard(scope)
                self._busy[delivery.host] -= 1
                self._has_ended.set()

    def _send(self, delivery: Delivery) -> None:
        clock = self._tm.session.clock
        receiver = self._receivers.find(delivery.receiver)
        if receiver is None:
            outcome = AttemptOutcome(trouble="its secret was removed", is_final=True)
        else:
            now = clock.now()
            outcome = self._sender.send(delivery, receiver.list_secrets(now), now)
        after = self._settle(delivery, outcome)
        if after.state is DeliveryState.GIVEN_UP:
            get_logger().warning(
                "webhook.given_up",
                webhook_id=after.webhook_id,
                job_id=after.job_id,
                attempts=after.attempts,
                error=after.trouble,
            )

    def _settle(self, delivery: Delivery, outcome: AttemptOutcome) -> Delivery:
        """Store how an attempt ended, also where another process has taken the delivery since."""
        store = find_deliveries(self._tm)
        after = record_attempt(delivery, outcome, self._tm.session.clock.now())
        for _ in range(SETTLE_ATTEMPTS):
            if store.save(after) is not None:
                break
            stored = store.find(delivery.webhook_id)
            # A failure counts once; that it was delivered is worth knowing whoever has it now.
            if stored is None or stored.state.is_settled or outcome.trouble:
                break
            after = record_attempt(stored, outcome, self._tm.session.clock.now())
        return after


def _choose_pause(job: Job, now: datetime) -> timedelta:
    """Return when a job is looked at again."""
    asked = job.facts.get(RETRY_AFTER)
    least = timedelta(seconds=asked) if isinstance(asked, int | float) else SHORTEST_LOOK
    return min(max((now - job.creation_time) / 10, least, SHORTEST_LOOK), LONGEST_LOOK)
