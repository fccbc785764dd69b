"""How stored jobs are: asking whoever runs them, stopping them, and recovery after a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Final

from tiomagic_domain.errors import (
    APIError,
    ConfigurationError,
    ProcessingError,
    TioMagicError,
    UnknownProviderError,
    ValidationError,
)
from tiomagic_domain.jobs.job import TERMINAL, Job, JobQuery, JobStatus
from tiomagic_domain.lifecycle.apply_report import ask_to_stop
from tiomagic_domain.lifecycle.job_writer import JobWriter
from tiomagic_domain.lifecycle.outcome import OutcomeRecorder
from tiomagic_domain.lifecycle.provider_answers import MALFORMED_ANSWER, ask_provider
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import ClaimsFetches, OutputStore
from tiomagic_domain.ports.provider import Provider, Report
from tiomagic_domain.suggestions import did_you_mean, list_names
from tiomagic_domain.workers.outages import count_requeues
from tiomagic_domain.workers.supervisor import (
    START_FAILURE_PREFIX,
    WAITING_REASON_PREFIX,
    Supervisor,
    is_worker_lost,
)

LOST_RUN_MESSAGE = (
    "canceled by its owner: its run cannot be seen any more, and was given up as lost"
)
"""The last word on a job that was ended without its run."""

WAITING_MESSAGE = "waits for a worker"
"""What a queued job says when all is well."""

CLAIM_TIMEOUT_S: Final = 60.0
"""Seconds that a look waits for another process that looks at the same job, as it does while it
brings a video home."""

MAX_JOBS_RECOVERED_ON_LIST = 20
"""Jobs that the first listing looks at before it lists, at the most: a few small queries each."""


class JobTracker:
    """Looks after jobs that are stored.

    Args:
        providers: Who runs jobs, by name.
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        writer: Stores changes.
        settler: Stores what providers say.
        on_trouble: Told what went wrong without stopping anything.
        supervisor: Looks after the jobs of queues; None where no job runs without its caller.
    """

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        repository: JobRepository,
        outputs: OutputStore,
        writer: JobWriter,
        settler: OutcomeRecorder,
        on_trouble: Callable[[TioMagicError], None],
        supervisor: Supervisor | None,
    ) -> None:
        self._providers = providers
        self._repository = repository
        self._outputs = outputs
        self._writer = writer
        self._outcomes = settler
        self._on_trouble = on_trouble
        self._supervisor = supervisor
        self._has_recovered = False

    def check(self, job_id: str) -> Job:
        """Ask the provider how a job is, bring its video home when it is done, and store the news.

        When the provider cannot be reached the job stays as it is, with a message; an answer that
        cannot be understood fails it. While another process asks for the same job, that one is
        waited for, and its news is returned.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the video cannot be written; the next check tries again.
        """
        return self._refresh_claimed(job_id, CLAIM_TIMEOUT_S) or self._repository.get(job_id)

    def _refresh_claimed(self, job_id: str, timeout_s: float) -> Job | None:
        """Look at a job that is not over; None when there is nothing to do, or others are at it."""
        with self._claim_job(job_id, timeout_s) as is_ours:
            # Read under the claim: whoever had it before may have brought the video home.
            job = self._repository.get(job_id)
            return self._refresh(job) if is_ours and not job.status.is_terminal else None

    def _claim_job(self, job_id: str, timeout_s: float) -> AbstractContextManager[bool]:
        if isinstance(self._outputs, ClaimsFetches):
            return self._outputs.claim(job_id, timeout_s=timeout_s)
        return nullcontext(enter_result=True)

    def _refresh(self, job: Job) -> Job:
        job_id = job.job_id
        saved = self._outcomes.complete_if_saved(job)
        if saved is not None:
            return saved
        why = self._supervise(job)
        if job.queue is not None and job.status is JobStatus.QUEUED:
            # No provider knows it yet.
            return self.store_waiting_reason(job, why or self._explain_worker_waiting(job.queue))
        try:
            report = ask_provider(find_provider(self._providers, job.provider).poll, job)
        except APIError as error:
            if not error.retryable:
                raise
            report = Report(status=job.status, message=error.message)
        except ProcessingError as error:
            if error.code != MALFORMED_ANSWER:
                raise
            report = Report(status=JobStatus.FAILED, error=error.message, error_code=error.code)
        if self._supervisor is not None and is_worker_lost(job, report):
            # The last thing that a worker did may have been to bring the video home.
            return self._outcomes.complete_if_saved(job) or self._supervisor.handle_lost_worker(
                job, report
            )
        return self._outcomes.apply(job_id, report)

    def recover(self) -> Sequence[Job]:
        """Look at every job that is not over, as after a crash or a restart of the machine.

        Jobs of dead workers fail or run again, jobs far away are followed, videos that are done
        are brought home, queues with jobs in them get a worker, and what dead processes have left
        half-written goes.

        Of several processes that recover at once each looks at jobs that no other one is looking
        at, so that each video is brought home once.

        Returns:
            The jobs that have changed by it, oldest first. What went wrong with one of them is told
            to ``on_trouble``, and the next one is looked at.
        """
        self._outputs.remove_partials()
        query = JobQuery(status=frozenset(JobStatus) - TERMINAL, limit=None, oldest_first=True)
        return self._refresh_all(self._repository.list(query))

    def _refresh_all(self, jobs: Sequence[Job]) -> Sequence[Job]:
        changed: dict[str, Job] = {}
        order = [job.job_id for job in jobs]
        # Those that others are at are waited for in the end: then all is as it is to be.
        for timeout_s in (0.0, CLAIM_TIMEOUT_S):
            left = []
            for before in jobs:
                after = self._refresh_safely(before, timeout_s)
                if after is None:
                    left.append(before)
                elif after.version != before.version:
                    changed[after.job_id] = after
            jobs = left
        return [changed[job_id] for job_id in order if job_id in changed]

    def _refresh_safely(self, job: Job, timeout_s: float) -> Job | None:
        """Look at a job as one of many: what goes wrong with it is told, whatever it is."""
        try:
            return self._refresh_claimed(job.job_id, timeout_s)
        except TioMagicError as error:
            self._on_trouble(error)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self._on_trouble(
                ProcessingError(
                    f"job {job.job_id} cannot be looked at: {type(error).__name__}: {error}",
                    details={"job_id": job.job_id},
                    code="unexpected",
                )
            )
        return job

    def recover_once(self) -> None:
        """Recover the oldest background jobs, once, and ask nobody far away: it has to be cheap."""
        if self._supervisor is None or self._has_recovered:
            return
        self._has_recovered = True
        self._outputs.remove_partials()
        statuses = frozenset(JobStatus) - TERMINAL
        oldest = JobQuery(status=statuses, limit=MAX_JOBS_RECOVERED_ON_LIST, oldest_first=True)
        self._refresh_all([job for job in self._repository.list(oldest) if job.queue is not None])

    def cancel(self, job_id: str) -> Job:
        """Ask for a job to stop and store the outcome. A finished job stays as it is.

        Raises:
            ResourceNotFoundError: when there is no such job.
            APIError: when the provider cannot be asked; the job stays ``canceling``, and the next
                call asks again.
        """
        job = self._writer.change(job_id, lambda job, at: ask_to_stop(job, at=at))
        if job.status.is_terminal:
            return job
        self._supervise(job)
        return self._outcomes.apply(
            job_id, ask_provider(find_provider(self._providers, job.provider).cancel, job)
        )

    def cancel_lost(self, job_id: str) -> Job:
        """End a job whose run is gone for good and cannot be asked. A finished one stays.

        What its process held, such as a device, is free afterwards. A run that comes back all the
        same finds its job canceled, and stops.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when its run was seen just now.
        """
        job = self.check_if_lost(job_id)
        if job.status.is_terminal:
            return job
        if self._supervisor is not None:
            self._supervisor.release_lost(job)
        if job.queue is not None and job.status is JobStatus.QUEUED:
            return self._writer.change(job_id, lambda job, at: ask_to_stop(job, at=at))
        report = Report(status=JobStatus.CANCELED, message=LOST_RUN_MESSAGE)
        return self._outcomes.apply(job_id, report)

    def check_if_lost(self, job_id: str) -> Job:
        """Return a job as it is, with what can be learned of it.

        Raises:
            ValidationError: when its run is seen, and not over.
        """
        job = self._repository.get(job_id)
        if job.status.is_terminal or (job.queue is not None and job.status is JobStatus.QUEUED):
            return job
        try:
            report = ask_provider(find_provider(self._providers, job.provider).poll, job)
        except TioMagicError as error:
            self._on_trouble(error)
            return job  # Nobody can be asked: that is what this is for.
        if report.status.is_terminal:
            return self.check(job_id)
        if report.is_reachable:
            raise ValidationError(
                f"job {job_id} is not lost: its run was seen just now. Cancel it without --lost "
                "(lost=True)",
                details={"job_id": job_id},
                code="not_lost",
            )
        return job

    def explain_waiting(self, queue: str) -> str | None:
        """Return why nobody takes the jobs of a queue: the first of them says so."""
        query = JobQuery(
            status=frozenset({JobStatus.QUEUED}), queue=queue, oldest_first=True, limit=1
        )
        first = next(iter(self._repository.list(query)), None)
        if first is None or not first.message.startswith(WAITING_REASON_PREFIX):
            return None
        return first.message

    def _explain_worker_waiting(self, queue: str) -> str | None:
        """Return why the living worker of a queue takes no job, as it has said on one of them."""
        query = JobQuery(
            status=frozenset({JobStatus.QUEUED}), queue=queue, oldest_first=True, limit=1
        )
        # Where this fact is missing, the words were copied from another job, or are over.
        said = (job.message for job in self._repository.list(query) if count_requeues(job))
        return next(
            (message for message in said if message.startswith(WAITING_REASON_PREFIX)), None
        )

    def store_waiting_reason(self, job: Job, why: str | None) -> Job:
        """Store on a queued job why nobody takes it, or that this is over."""
        waits = job.message.startswith(WAITING_REASON_PREFIX)
        if (
            waits
            if why is not None and why.startswith(START_FAILURE_PREFIX)
            else not (why or waits)
        ):
            return job
        message = why or WAITING_MESSAGE

        def change(job: Job, at: datetime) -> Job | None:
            same = job.status is not JobStatus.QUEUED or job.message == message
            return None if same else job.with_changes(at=at, message=message)

        try:
            return self._writer.change(job.job_id, change, quiet=True)
        except ProcessingError as error:
            self._on_trouble(error)
            return job

    def _supervise(self, job: Job) -> str | None:
        if self._supervisor is None:
            return None
        try:
            return self._supervisor.supervise(job)
        except ConfigurationError as error:
            # No worker now: a later look tries again, and the job says why.
            self._on_trouble(error)
            return f"{WAITING_REASON_PREFIX}{error.message}"
        except ProcessingError as error:
            self._on_trouble(error)  # A full disk: the next look tries again.
            return None


def find_provider(providers: Mapping[str, Provider], name: str) -> Provider:
    """Return a provider by its name.

    Raises:
        UnknownProviderError: when there is none of that name; the message lists them.
    """
    if name not in providers:
        raise UnknownProviderError(
            f"there is no provider {name!r}.{did_you_mean(name, providers)} "
            f"Providers: {list_names(providers)}",
            details={"provider": name, "known": sorted(providers)},
        )
    return providers[name]
