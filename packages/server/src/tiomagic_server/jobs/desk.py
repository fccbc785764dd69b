"""Submits, finds, lists, cancels and deletes the jobs of a caller.

All methods block. What they know is in the job store, but for the times of the last checks.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from tiomagic.results.recipes import of_job
from tiomagic_domain.errors import (
    Problem,
    ResourceNotFoundError,
    TioMagicError,
    ValidationError,
)
from tiomagic_domain.jobs.job import Job, JobQuery
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_server.asking.calls import AskedVideo
from tiomagic_server.jobs.callers import Caller
from tiomagic_server.jobs.labels import remixed_tag
from tiomagic_server.jobs.media import ContentVariant, find_file

if TYPE_CHECKING:
    from tiomagic import TioMagic

LEAST_PAUSE_S: Final = 0.5
"""Seconds between two checks of one job by one process: clients that poll faster get what is
stored."""
KEPT_TIMES: Final = 10_000
"""Jobs whose last check is remembered."""
MAX_KEY_LENGTH: Final = 200
"""Most characters of an idempotency key; the store takes 255 with the key's id before it."""
_JOB_ID: Final = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class JobDesk:
    """The jobs of a server's clients. Thread-safe.

    Args:
        tm: Whose jobs.
    """

    def __init__(self, tm: TioMagic) -> None:
        self._tm = tm
        self._checked: OrderedDict[str, float] = OrderedDict()
        self._lock = threading.Lock()

    def submit(
        self,
        asked: AskedVideo,
        caller: Caller,
        key: str | None,
        *,
        max_cost: object = None,
        job_id: str | None = None,
    ) -> Job:
        """Store the job of a request and hand it to its provider.

        Args:
            asked: The call.
            caller: Whose job it becomes.
            key: The caller's idempotency key; None for none.
            max_cost: The most that the run may cost, as ``tm`` takes it; None for the limits that
                are set.
            job_id: The id of the job; None for a new one.

        Returns:
            The job; it may have failed already.

        Raises:
            TioMagicError: nothing was stored. ``key_reused`` when the key was sent with another
                call before.
        """
        own_key = _own_key(key, caller)

        def run() -> Job:
            return self._tm.session.generation.submit(
                asked.feature,
                provider=asked.provider,
                model=asked.model,
                arguments=asked.arguments,
                detach=True,
                tags=[] if caller.tag is None else [caller.tag],
                key=own_key,
                max_cost=max_cost,
                job_id=job_id,
                payer=caller.key_id,
                budgets=caller.budgets,
                rate=caller.rate,
            )

        return self._submit(run, caller, own_key)

    def remix(
        self,
        source: Job,
        changes: Mapping[str, Any],
        caller: Caller,
        key: str | None,
        job_id: str | None = None,
    ) -> Job:
        """Repeat a job of the caller with some other arguments.

        Args:
            source: The job.
            changes: Arguments that replace its own.
            caller: Whose job it becomes.
            key: As for :meth:`submit`.
            job_id: As for :meth:`submit`.
        """
        own_key = _own_key(key, caller)

        def run() -> Job:
            tags = [remixed_tag(source.job_id), *([] if caller.tag is None else [caller.tag])]
            return self._tm.session.generation.rerun(
                of_job(source),
                overrides=changes,
                detach=True,
                tags=tags,
                key=own_key,
                job_id=job_id,
                payer=caller.key_id,
                budgets=caller.budgets,
                rate=caller.rate,
            )

        return self._submit(run, caller, own_key)

    def _submit(self, run: Callable[[], Job], caller: Caller, key: str | None) -> Job:
        self._require_room(caller, key)
        try:
            return run()
        except TioMagicError as error:
            job_id = error.details.get("job_id")
            if isinstance(error, ValidationError) or not isinstance(job_id, str):
                raise
            # The job is stored, and says itself what became of it.
            return self._tm.session.generation.get(job_id)

    def _require_room(self, caller: Caller, key: str | None) -> None:
        """Raise early if a caller has submitted as many jobs as it may: before inputs are fetched.

        Jobs at once are counted where each is stored. A repeated call is no further job.

        Raises:
            RateLimitError: when there is no room.
        """
        rate, repository = caller.rate, self._tm.session.container.repository()
        if rate is None or (key and repository.count(JobQuery(idempotency_key=key))):
            return
        rate.require_room(repository.count(rate.counted_at(self._tm.session.clock.now())))

    def find(self, job_id: str, caller: Caller) -> Job:
        """Return a job of the caller as it is stored.

        Raises:
            ResourceNotFoundError: when there is none of this id that is the caller's.
        """
        if _JOB_ID.fullmatch(job_id):
            # The error of the store names its place.
            with suppress(ResourceNotFoundError):
                job = self._tm.session.generation.get(job_id)
                if caller.owns(job):
                    return job
        raise ResourceNotFoundError("there is no such video", details={"resource_type": "video"})

    def look(self, job_id: str, caller: Caller) -> Job:
        """Return a job of the caller after a look at its run.

        Raises:
            ResourceNotFoundError: as :meth:`find`.
            ProcessingError: when its video cannot be written.
        """
        job = self.find(job_id, caller)
        # A provider does not know yet what another process is just sending to it.
        is_early = self._tm.session.generation.is_being_sent(job)
        if job.status.is_terminal or is_early or not self._is_due(job_id):
            return job
        return self._tm.session.generation.check(job_id)

    def _is_due(self, job_id: str) -> bool:
        now = self._tm.session.clock.monotonic()
        with self._lock:
            last = self._checked.get(job_id)
            if last is not None and 0 <= now - last < LEAST_PAUSE_S:
                return False
            self._checked[job_id] = now
            self._checked.move_to_end(job_id)
            while len(self._checked) > KEPT_TIMES:
                self._checked.popitem(last=False)
            return True

    def list_page(
        self, caller: Caller, *, limit: int, after: str | None, oldest_first: bool
    ) -> tuple[list[Job], bool]:
        """Return some jobs of the caller, and whether more follow.

        Args:
            caller: Whose.
            limit: Most jobs.
            after: The id of the last job of the page before.
            oldest_first: The order; newest first otherwise.

        Raises:
            ResourceNotFoundError: when ``after`` is no job of the caller.
        """
        if after is not None:
            self.find(after, caller)
        query = JobQuery(tag=caller.tag, limit=limit + 1, after=after, oldest_first=oldest_first)
        found = self._tm.session.generation.list(query)
        return found[:limit], len(found) > limit

    def cancel(self, job: Job) -> Job:
        """Ask a job to stop, and return it.

        Raises:
            APIError: when its provider cannot be reached.
        """
        return self._tm.session.generation.cancel(job.job_id)

    def check(self, job: Job) -> Job:
        """Look at a job's run now."""
        return self._tm.session.generation.check(job.job_id)

    def delete(self, job: Job) -> None:
        """Delete a job that is over, with its video.

        Raises:
            ValidationError: when it is not over, with the code ``job_not_over``.
        """
        self._tm.session.archive.delete(job.job_id, files=True)

    def find_video(self, job_id: str, caller: Caller) -> Path:
        """Return the file of a video of the caller.

        Raises:
            ResourceNotFoundError: when there is no such job, or it has no video.
        """
        return find_file(self._tm, self.find(job_id, caller), ContentVariant.VIDEO)


def _own_key(key: str | None, caller: Caller) -> str | None:
    """Return an idempotency key that no other caller can have."""
    if key is None:
        return None
    if not (0 < len(key) <= MAX_KEY_LENGTH and key.isprintable()):
        message = f"must have 1 to {MAX_KEY_LENGTH} printable characters"
        problem = Problem(field="Idempotency-Key", message=message, given=shorten_repr(key))
        raise ValidationError.of([problem], subject="the headers")
    return key if caller.key_id is None else f"{caller.key_id}/{key}"
