"""Idempotency keys: the same key and the same call give the same job, however often it is sent.

A caller that does not know whether its call arrived repeats it with the same key. Keys are unique
in the repository, so that two processes that race with one key get the same job.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import Problem, ProcessingError, ValidationError
from tiomagic_domain.jobs.job import Job, JobQuery
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.lifecycle.job_updater import JobUpdater
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.suggestions import shorten_repr

MAX_KEY_LENGTH: Final = 255
"""Most characters of a key."""


def validate_key(key: object) -> str | None:
    """Return a valid key; None for a call without one.

    Raises:
        ValidationError: when it is not a text of 1 to 255 printable characters.
    """
    if key is None:
        return None
    if isinstance(key, str) and 0 < len(key) <= MAX_KEY_LENGTH and key.isprintable():
        return key
    message = (
        f"must be a text of 1 to {MAX_KEY_LENGTH} printable characters, the same for the same call"
    )
    problem = Problem(field="idempotency_key", message=message, given=shorten_repr(key))
    raise ValidationError.of([problem], subject="the call")


class IdempotencyKeys:
    """Finds and adds jobs by their keys.

    Args:
        repository: Where jobs are kept.
        updater: Stores new ones.
    """

    def __init__(self, repository: JobRepository, updater: JobUpdater) -> None:
        self._repository = repository
        self._updater = updater

    def find(self, job: Job, given: Mapping[str, object]) -> Job | None:
        """Return the stored job of an equal call, or None when its key is new or it has none.

        Args:
            job: The job to store, with its key.
            given: The arguments of the call; a missing seed was drawn.

        Raises:
            ValidationError: when the key belongs to another call; the message lists the
                differences.
        """
        key = job.idempotency_key
        if key is None:
            return None
        for stored in self._repository.list(JobQuery(idempotency_key=key, limit=1)):
            # A repository without keys may list any job.
            if stored.idempotency_key == key:
                _check_same(stored, job, given)
                return stored
        return None

    def find_provider(self, key: str | None) -> str | None:
        """Return who runs the stored job with a key; None when there is none, or no key."""
        query = JobQuery(idempotency_key=key, limit=1)
        found = () if key is None else self._repository.list(query)
        return next((job.provider for job in found if job.idempotency_key == key), None)

    def release(self, job_id: str) -> None:
        """Take the key from a job that failed before it was sent: another one gets it."""
        job = self._repository.get(job_id)
        self._updater.update(
            job, lambda job, at: replace(job, idempotency_key=None, last_updated=at), quiet=True
        )

    def add(
        self,
        job: Job,
        given: Mapping[str, object],
        budgets: Sequence[Budget] = (),
        rate: JobRate | None = None,
    ) -> Job | None:
        """Store a new job; return the existing one with its key if another process won the race.

        Args:
            job: The job.
            given: The arguments of the call.
            budgets: Those that it must fit into.
            rate: The same for the number of jobs.

        Raises:
            ValidationError: when that one belongs to another call.
            ProcessingError: when the job cannot be stored.
            ConfigurationError: with the code ``over_budget`` when a budget has no room for it.
            RateLimitError: when the rate has no room for it.
        """
        try:
            self._updater.add(job, budgets, rate)
        except ProcessingError as error:
            if error.code != ErrorCode.KEY_TAKEN:
                raise
            first = self.find(job, given)
            if first is None:
                raise  # It was deleted between the two reads.
            return first
        return None


def _check_same(stored: Job, wanted: Job, given: Mapping[str, object]) -> None:
    """Compare resolved arguments: defaults included, pictures and videos by their bytes."""
    before, now = _call(stored), _call(wanted)
    if "seed" not in given:
        before.pop("seed", None)
        now.pop("seed", None)
    names = [name for name in {**before, **now} if before.get(name) != now.get(name)]
    if not names:
        return
    problems = [
        Problem(
            field=name,
            message=f"is {shorten_repr(now.get(name), 60)}, "
            f"and was {shorten_repr(before.get(name), 60)} "
            f"in job {stored.job_id}, which has this key: give another call another key",
            given=shorten_repr(now.get(name)),
        )
        for name in names
    ]
    subject = f"idempotency_key {shorten_repr(wanted.idempotency_key)}"
    raise ValidationError.of(problems, subject=subject, code=ErrorCode.KEY_REUSED)


def _call(job: Job) -> dict[str, object]:
    asked: dict[str, object] = {
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
    }
    return {**job.arguments, **asked}
