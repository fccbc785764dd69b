"""Batches: many requests with bounded concurrency, resumable, and independent of each other.

Each job is stored with two tags: its batch, and a digest of its request. A repeated batch finds its
jobs by them: finished ones are not run again, running ones are waited for, and only missing or
failed ones are submitted.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import suppress
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, Final

from tiomagic_domain.errors import Problem, TioMagicError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.ports.clock import POLL_INTERVAL_S, Clock
from tiomagic_domain.requests.rerun import RerunCall
from tiomagic_domain.schema.kinds import Rejected, plain_data
from tiomagic_domain.suggestions import shorten_repr
from tiomagic_domain.usecases.generation import Generation
from tiomagic_domain.usecases.waiting import WaitDeadline

BATCH_TAG_PREFIX: Final = "batch:"
MAX_BATCH_NAME_LENGTH: Final = 60
"""Most characters of a batch's name, which becomes part of a tag."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchRequest:
    """One call of a batch."""

    feature: Feature
    model: str | None
    """None for the provider's default."""
    arguments: Mapping[str, Any]
    force: bool = False
    """True to run also what the preflight says cannot work."""
    rerun: RerunCall | None = None
    """The repeated call that the arguments are of; None for a call of the user."""

    @property
    def digest(self) -> str:
        """Its digest, see :func:`digest_of`; of what it makes, not of ``force``."""
        return digest_of([self.feature.value, self.model, dict(self.arguments)])


@dataclass(frozen=True, slots=True, kw_only=True)
class BatchOutcome:
    """The outcome of a request."""

    request: BatchRequest
    job: Job | None
    """None when it was refused."""
    error: str | None = None
    """Why there is no video; None when there is one."""
    found: bool = False
    """True when an earlier run of the batch made the video."""


def digest_of(value: object) -> str:
    """Return a digest of plain data, paths and bytes, in 16 hexadecimal digits.

    A file counts by its name, not by its content.

    Raises:
        ValidationError: when a part has no stable form, such as an open file.
    """
    text = json.dumps(value, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plain(value: object) -> object:
    if isinstance(value, PurePath):
        return str(value)
    if isinstance(value, bytes):
        return hashlib.sha256(value).hexdigest()
    with suppress(Rejected):
        return plain_data(value)  # Scalars of numpy and similar libraries.
    message = "must be plain data, a path or bytes: a batch finds its jobs again by it"
    problem = Problem(field="arguments", message=message, given=shorten_repr(value))
    raise ValidationError.of([problem], subject="a batch")


class Batches:
    """Runs batches over the use cases of single jobs.

    Args:
        generation: Submits and waits for the jobs.
        clock: The time.
    """

    def __init__(self, *, generation: Generation, clock: Clock) -> None:
        self._generation = generation
        self._clock = clock

    def run(
        self,
        name: str,
        requests: Sequence[BatchRequest],
        *,
        provider: str | Sequence[str],
        concurrency: int,
        on_outcome: Callable[[BatchOutcome], None],
    ) -> list[BatchOutcome]:
        """Run all requests that have no video yet.

        Ctrl-C does not stop jobs that run elsewhere; the same batch finds them again.

        Args:
            name: The batch's name, by which its jobs are found.
            requests: The requests; equal ones run once each.
            provider: Who is to run it; of several names, for each video, the first that can.
            concurrency: Most jobs at once; with 1 they run in the calling thread.
            on_outcome: Called with each outcome, in the calling thread.

        Returns:
            An outcome for each request, in their order.

        Raises:
            ValidationError: when the name, the concurrency or an argument cannot be used.
        """
        _check(name, concurrency)
        places = _places(name, requests, provider)
        stored = self._stored(name)
        stop = threading.Event()

        def one(index: int) -> BatchOutcome:
            place = places[index]
            tags = (f"{BATCH_TAG_PREFIX}{name}", place)
            return self._one(requests[index], provider, tags, stored.get(place), stop)

        outcomes: dict[int, BatchOutcome] = {}
        if concurrency == 1:
            for index in range(len(requests)):
                outcomes[index] = one(index)
                on_outcome(outcomes[index])
            return list(outcomes.values())
        pool = ThreadPoolExecutor(concurrency, "tiomagic-batch")
        try:
            futures = {pool.submit(one, index): index for index in range(len(requests))}
            for future in as_completed(futures):
                outcomes[futures[future]] = future.result()
                on_outcome(outcomes[futures[future]])
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
        return [outcomes[index] for index in range(len(requests))]

    def _stored(self, name: str) -> dict[str, Job]:
        """Return the newest job of each request of a batch that has or may get a video."""
        jobs = self._generation.list(
            JobQuery(tag=f"{BATCH_TAG_PREFIX}{name}", limit=None, oldest_first=True)
        )
        lost = {JobStatus.FAILED, JobStatus.CANCELED}
        return {tag: job for job in jobs if job.status not in lost for tag in job.tags}

    def _one(
        self,
        request: BatchRequest,
        provider: str | Sequence[str],
        tags: Sequence[str],
        stored: Job | None,
        stop: threading.Event,
    ) -> BatchOutcome:
        job: Job | None = stored
        try:
            if stored is not None:
                job = self._follow(stored, stop)
                if job.status is JobStatus.COMPLETED:
                    return BatchOutcome(request=request, job=job, found=True)
            # A job of an earlier run that has failed meanwhile is submitted again.
            if job is None or job.status.is_terminal:
                job = self._generation.submit(
                    request.feature,
                    provider=provider,
                    model=request.model,
                    arguments=request.arguments,
                    tags=tags,
                    force=request.force,
                    rerun=request.rerun,
                )
            return _outcome(request, self._follow(job, stop))
        except TioMagicError as error:
            job_id = error.details.get("job_id")
            known = job if job_id is None else self._generation.get(str(job_id))
            return BatchOutcome(request=request, job=known, error=error.message)

    def _follow(self, job: Job, stop: threading.Event) -> Job:
        deadline = WaitDeadline(self._clock.monotonic, timeout=None, poll=POLL_INTERVAL_S)
        while not (job.status.is_terminal or stop.is_set()):
            job = self._generation.check(job.job_id)
            if not job.status.is_terminal:
                self._pause(deadline.next_pause(job), stop)
        return job

    def _pause(self, seconds: float, stop: threading.Event) -> None:
        """Sleep in short parts: after Ctrl-C the caller waits for every thread of the batch."""
        until = self._clock.monotonic() + seconds
        while not stop.is_set() and (left := until - self._clock.monotonic()) > 0:
            self._clock.sleep(min(left, POLL_INTERVAL_S))


def _outcome(request: BatchRequest, job: Job) -> BatchOutcome:
    completed = job.status is JobStatus.COMPLETED
    error = None if completed else job.error or f"the job is {job.status}"
    return BatchOutcome(request=request, job=job, error=error)


def _places(
    name: str, requests: Sequence[BatchRequest], provider: str | Sequence[str]
) -> list[str]:
    """Return a tag for each request; equal requests get different tags."""
    seen: Counter[str] = Counter()
    places = []
    # One name alone counts as such: a batch of an older version is found again.
    who = provider if isinstance(provider, str) else list(provider)
    who = who[0] if len(who) == 1 else who
    for request in requests:
        digest = digest_of([who, request.digest])
        seen[digest] += 1
        places.append(f"{BATCH_TAG_PREFIX}{name}/{digest}-{seen[digest]}")
    return places


def _check(name: str, concurrency: int) -> None:
    problems = []
    if not (0 < len(name) <= MAX_BATCH_NAME_LENGTH and name.isprintable() and name == name.strip()):
        message = f"must be 1 to {MAX_BATCH_NAME_LENGTH} characters on one line"
        problems.append(Problem(field="name", message=message, given=shorten_repr(name)))
    if concurrency < 1:
        given = repr(concurrency)
        problem = Problem(field="concurrency", message="must be 1 or more", given=given, nearest=1)
        problems.append(problem)
    if problems:
        raise ValidationError.of(problems, subject="a batch")
