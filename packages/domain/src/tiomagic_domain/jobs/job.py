"""The job: one request for a video, with its status, attempts and facts; and queries for jobs.

::

      ┌─────────────┐ its worker was lost, and it may run again
      ▼             │
    queued ──────► running ──────► completed
      │  │            │  │            ▲
      │  │            │  └──► failed ◄┼──┐
      │  └► canceling ◄┘              │  │
      │         └─────────────────────┴──┤
      └──────────────► canceled ◄────────┘

The first poll of a remote job may find it over, so every terminal status is reachable from
``queued`` directly. A status without a next one is terminal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from tiomagic_domain.errors import InvalidTransitionError, Problem, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.status import TERMINAL, TRANSITIONS, JobStatus
from tiomagic_domain.jobs.tags import validate_tags
from tiomagic_domain.progress import Progress
from tiomagic_domain.text import find_text_flaw, make_storable

__all__ = ["TERMINAL", "TRANSITIONS", "Job", "JobQuery", "JobStatus"]

REQUEUE_COUNT_FACT = "put_back"
"""The fact that counts how often a job was queued again after a failure of the machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One request for a video. A value: every change returns a new one."""

    job_id: str
    """A UUID; also the idempotency key for the provider."""
    feature: Feature
    model: str
    provider: str
    creation_time: datetime
    """When the job was stored, with zone."""
    last_updated: datetime
    """When the job last changed, with zone."""
    status: JobStatus = JobStatus.QUEUED
    required_args: Mapping[str, Any] = field(default_factory=dict)
    """The feature's inputs, plain data; media as references by hash."""
    optional_args: Mapping[str, Any] = field(default_factory=dict)
    """All settings of the run with the drawn seed, plain data."""
    chosen: Choices | None = None
    """Which of the arguments the user chose; None for unknown, in a job of an older version."""
    call_id: str | None = None
    """The provider's name for the run; None before it has one."""
    message: str = ""
    """The newest message for the user."""
    progress: Progress | None = None
    """The newest progress; None before the first."""
    result_video: str | None = None
    """Absolute path of the finished video on this machine; None before it is saved."""
    error: str | None = None
    """Why the job failed; None otherwise."""
    error_code: str | None = None
    """The error's code; None when the job did not fail."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """How it ran, such as device, dtype, memory plan, seconds a phase, versions."""
    queue: str | None = None
    """The queue of a background job; None for a job in its caller's process or at a remote
    provider."""
    priority: int = 0
    """Workers take the highest of their queue first, and the oldest of the same."""
    retry: int = 0
    """How often it may still be retried after its worker was lost."""
    attempt: int = 1
    """The number of this run, from 1."""
    tags: tuple[str, ...] = ()
    """The user's tags, each once."""
    note: str = ""
    """The user's note."""
    started_at: datetime | None = None
    """When this attempt began to run, with zone; None before, or if unknown."""
    ended_at: datetime | None = None
    """When it was over, with zone; None until then."""
    idempotency_key: str | None = None
    """The caller's idempotency key, unique among stored jobs; None without one."""
    payer: str | None = None
    """Whose budgets hold the job, beside those of all; None for nobody's."""
    version: int = 1
    """Incremented by each save; the repository refuses to save over a newer one
    (compare-and-swap)."""

    @property
    def arguments(self) -> dict[str, Any]:
        """Inputs and settings together."""
        return {**self.required_args, **self.optional_args}

    def to(self, status: JobStatus, *, at: datetime, **changes: Any) -> Job:
        """Return the job in another status.

        Args:
            status: The new status; must be reachable in one transition.
            at: The time of the transition, with zone.
            **changes: Other fields that change with it.

        Raises:
            InvalidTransitionError: when the table has no such transition, or the job may not be
                retried.
        """
        if status not in TRANSITIONS[self.status]:
            raise self._cannot(f"cannot become {status}", status)
        return replace(self, status=status, last_updated=at, **(self._marks(status, at) | changes))

    def next_attempt(self, *, at: datetime, **changes: Any) -> Job:
        """Return the running job, queued for its next attempt, because its worker was lost.

        Args:
            at: The moment, with zone.
            **changes: Other fields that change with it.

        Raises:
            InvalidTransitionError: when the job does not run, or ``retry`` is used up.
        """
        return self.to(JobStatus.QUEUED, at=at, **changes)

    def requeue(self, *, at: datetime, message: str) -> Job:
        """Return the running job, queued again after a failure of the machine.

        This uses up neither an attempt nor a ``retry``; a fact counts how often it happened.

        Args:
            at: The moment, with zone.
            message: The reason, for the user.

        Raises:
            InvalidTransitionError: when the job does not run.
        """
        if self.status is not JobStatus.RUNNING:
            raise self._cannot("does not run", JobStatus.QUEUED)
        count = self.facts.get(REQUEUE_COUNT_FACT, 0)
        return replace(
            self,
            status=JobStatus.QUEUED,
            last_updated=at,
            message=message,
            call_id=None,
            progress=None,
            started_at=None,
            facts={**self.facts, REQUEUE_COUNT_FACT: count + 1 if isinstance(count, int) else 1},
        )

    def with_changes(self, *, at: datetime, **changes: Any) -> Job:
        """Return the job with new facts and the same status.

        Raises:
            InvalidTransitionError: when the job is over, or the status is among the changes.
        """
        if self.status.is_terminal or "status" in changes:
            raise self._cannot("takes no more news")
        return replace(self, last_updated=at, **changes)

    def with_labels(
        self, *, at: datetime, tags: Iterable[str] | None = None, note: str | None = None
    ) -> Job:
        """Return the job with other tags or another note; also a job that is over.

        Args:
            at: The moment, with zone.
            tags: All new tags; they are stripped, and each is kept once. None keeps the old ones.
            note: The new note. None keeps the old one.

        Raises:
            ValidationError: when a tag is empty, longer than 100 characters, or has a line break
                or another character in it that is not printed.
        """
        return replace(
            self,
            last_updated=at,
            tags=self.tags if tags is None else validate_tags(tags),
            note=self.note if note is None else make_storable(note),
        )

    def _marks(self, status: JobStatus, at: datetime) -> dict[str, Any]:
        """Return the fields that change with a transition to a status."""
        if status.is_terminal:
            return {"ended_at": at}
        if status is JobStatus.RUNNING:
            return {"started_at": at}
        if status is JobStatus.CANCELING:
            return {}
        if self.retry < 1:
            raise self._cannot("may not be run again", status)
        return {
            "retry": self.retry - 1,
            "attempt": self.attempt + 1,
            "call_id": None,
            "progress": None,
            "started_at": None,
        }

    def _cannot(self, what: str, to: JobStatus | None = None) -> InvalidTransitionError:
        details = {"job_id": self.job_id, "from": self.status.value}
        if to is not None:
            details["to"] = to.value
        return InvalidTransitionError(
            f"job {self.job_id} is {self.status} and {what}", details=details
        )

    def to_dict(self) -> dict[str, Any]:
        """Return the documented dict; plain ``json.dumps`` accepts it."""
        return {
            "job_id": self.job_id,
            "feature": self.feature.value,
            "model": self.model,
            "provider": self.provider,
            "status": self.status.value,
            "generation": self.generation,
            "chosen": None if self.chosen is None else self.chosen.to_dict(),
            "progress": self.progress.to_dict() if self.progress else None,
            "result_video": self.result_video,
            "creation_time": self.creation_time.isoformat(),
            "last_updated": self.last_updated.isoformat(),
            "error": self.error,
            "error_code": self.error_code,
            "facts": dict(self.facts),
            "queue": self.queue,
            "priority": self.priority,
            "retry": self.retry,
            "attempt": self.attempt,
            "tags": list(self.tags),
            "note": self.note,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
            "idempotency_key": self.idempotency_key,
            "payer": self.payer,
            "version": self.version,
        }

    @property
    def generation(self) -> dict[str, Any]:
        """The part of the documented dict that describes the run."""
        return {
            "call_id": self.call_id,
            "status": self.status.value,
            "message": self.message,
            "timestamp": self.last_updated.isoformat(),
            "required_args": dict(self.required_args),
            "optional_args": dict(self.optional_args),
            "result_video": self.result_video,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class JobQuery:
    """Filters for jobs; None does not filter. Newest first by default."""

    status: frozenset[JobStatus] | None = None
    feature: Feature | None = None
    model: str | None = None
    provider: str | None = None
    text: str | None = None
    """Words that must all occur somewhere in the prompt, in any order, as parts of words too; case
    does not matter for ASCII letters."""
    tag: str | None = None
    """Must be among the tags, exactly."""
    queue: str | None = None
    """The queue that the job was put into."""
    idempotency_key: str | None = None
    """The key that the job was submitted with, exactly."""
    id_prefix: str | None = None
    """The beginning of the id, in small letters."""
    since: datetime | None = None
    """Created at this moment or later, with zone."""
    until: datetime | None = None
    """Created before this moment, with zone."""
    limit: int | None = 50
    """Most jobs; None for all."""
    after: str | None = None
    """The id of the last job of the previous page; the listing continues after it."""
    oldest_first: bool = False
    """List in the order of submission instead, by creation time and then id."""
    next_first: bool = False
    """List in the order in which workers take jobs: the highest priority first, then the oldest.
    Not together with ``after``."""

    @property
    def terms(self) -> tuple[str, ...]:
        """The words of ``text``, each once."""
        return tuple(dict.fromkeys((self.text or "").split()))

    def __post_init__(self) -> None:
        """Refuse values that databases interpret differently, or not at all.

        Raises:
            ValidationError: for a negative limit, a time without a zone, or a lone surrogate.
        """
        problems = [
            Problem(field=name, message="must have a time zone", given=repr(moment))
            for name, moment in (("since", self.since), ("until", self.until))
            if moment is not None and moment.utcoffset() is None
        ]
        words = {
            name: getattr(self, name)
            for name in ("model", "provider", "text", "tag", "after", "id_prefix")
        }
        problems += [
            Problem(field=name, message=wrong, given=repr(word))
            for name, word in words.items()
            if isinstance(word, str) and (wrong := find_text_flaw(word)) is not None
        ]
        if self.next_first and self.after is not None:
            alone = "must be None with next_first, whose order changes while it is read"
            problems.append(Problem(field="after", message=alone, given=repr(self.after)))
        if self.limit is not None and self.limit < 0:
            few = "must be 0 or more, or None for all"
            problems.append(Problem(field="limit", message=few, given=repr(self.limit), nearest=0))
        if problems:
            raise ValidationError.of(problems, subject="a query of jobs")
