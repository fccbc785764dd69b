"""Tracks stored jobs: get, check, wait, list, cancel, and recovery after a crash."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Final

from tiomagic_domain.advice import NextStep
from tiomagic_domain.codes import ErrorCode
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
from tiomagic_domain.lifecycle.finishing import Finish, keep_as_it_is
from tiomagic_domain.lifecycle.job_updater import JobUpdater, ignore_change, ignore_trouble
from tiomagic_domain.lifecycle.provider_answers import ask_provider, report_of_failed_poll
from tiomagic_domain.lifecycle.sending import JobSenders
from tiomagic_domain.ports.clock import POLL_INTERVAL_S, Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import ClaimsFetches, OutputStore
from tiomagic_domain.ports.provider import Provider, Report, find_answers
from tiomagic_domain.progress import Preview, ProgressSink, ignore_progress
from tiomagic_domain.suggestions import did_you_mean, list_names
from tiomagic_domain.usecases.waiting import WaitDeadline
from tiomagic_domain.workers import Background, Supervisor
from tiomagic_domain.workers.supervisor import WAITING_REASON_PREFIX, is_worker_lost
from tiomagic_domain.workers.waiting_reasons import (
    find_busy_device,
    find_waiting_reason,
    with_waiting_reason,
)

LOST_RUN_MESSAGE = (
    "canceled by its owner: its run cannot be seen any more, and was given up as lost"
)
"""The message of a job that was canceled as lost."""

CLAIM_TIMEOUT_S: Final = 60.0
"""Timeout of a check for another process that checks the same job, for example while it downloads
the video, in seconds."""

MAX_JOBS_RECOVERED_ON_LIST = 20
"""Most jobs that the first listing recovers; each costs a few small queries."""

OPEN_STATUSES: Final = frozenset(JobStatus) - TERMINAL
"""Statuses of a job that is not over."""


class JobTracker:
    """The use cases on stored jobs: check, wait, list, cancel and recovery.

    Args:
        providers: Who can run jobs, by name. A mapping that builds them when asked is welcome.
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        clock: The time.
        on_change: Called with every stored change of a job, except steps within a phase.
        on_trouble: Called with errors that stop nothing.
        background: What jobs need to run without their caller; None where none does.
        finish: What becomes of a provider's video before it is saved.
    """

    def __init__(
        self,
        *,
        providers: Mapping[str, Provider],
        repository: JobRepository,
        outputs: OutputStore,
        clock: Clock,
        on_change: Callable[[Job], None] = ignore_change,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        background: Background | None = None,
        finish: Finish = keep_as_it_is,
    ) -> None:
        self._providers = providers
        self._repository = repository
        self._outputs = outputs
        self._clock = clock
        self._on_trouble = on_trouble
        self._updater = JobUpdater(repository, outputs, clock, on_change, on_trouble, finish=finish)
        self._senders = JobSenders(
            self._updater,
            clock,
            background.processes if background else None,
            background.place if background else "",
        )
        self._supervisor = Supervisor(background, self._updater) if background else None
        self._has_recovered = False

    def get(self, job_id: str) -> Job:
        """Return a job as it is stored.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        return self._repository.get(job_id)

    def check(self, job_id: str) -> Job:
        """Poll the provider about a job, save its video when it is finished, and store the report.

        When the provider cannot be reached, or limits the rate of requests, only the job's message
        and the time of the next poll change; a malformed answer fails the job. While another
        process checks the same job, this call waits and returns its result.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the video cannot be written; the next check tries again.
        """
        with self._claim_job(job_id, CLAIM_TIMEOUT_S) as is_ours:
            # Read under the claim: its previous owner may have saved the video.
            job = self._repository.get(job_id)
            return self._refresh(job) if is_ours and not job.status.is_terminal else job

    def _claim_job(self, job_id: str, timeout_s: float) -> AbstractContextManager[bool]:
        if isinstance(self._outputs, ClaimsFetches):
            return self._outputs.claim(job_id, timeout_s=timeout_s)
        # An output store without claims: two processes may then fetch a video twice.
        return nullcontext(enter_result=True)

    def _refresh(self, job: Job) -> Job:
        """Check a job that is not over, and store the report."""
        # Before the provider is asked: it may have forgotten the run by now, and would call a job
        # lost whose video is here.
        # A process may have died between saving the video and storing the job.
        saved = self._updater.complete_if_saved(job)
        if saved is not None:
            return saved
        why = self._supervise(job)
        if job.queue is not None and job.status is JobStatus.QUEUED:
            # It has not been submitted to a provider yet.
            reason = why or find_waiting_reason(self._repository, job.queue, only_requeued=True)
            return self._store_waiting_reason(job, reason or find_busy_device(job))
        try:
            report = ask_provider(find_provider(self._providers, job.provider).poll, job)
        except APIError as error:
            if not error.retryable:
                raise
            report = report_of_failed_poll(job, error)
        except ProcessingError as error:
            if error.code != ErrorCode.MALFORMED_ANSWER:
                self._updater.say_why(job, error)
                raise
            report = Report(status=JobStatus.FAILED, error=error.message, error_code=error.code)
        if self._supervisor is not None and is_worker_lost(job, report):
            # A worker may have died just after it saved the video.
            return self._updater.complete_if_saved(job) or self._supervisor.handle_lost_worker(
                job, report
            )
        return self._updater.apply(job, report)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        poll: float = POLL_INTERVAL_S,
        on_progress: ProgressSink = ignore_progress,
    ) -> Job:
        """Check a job repeatedly until it is over, and return it in its terminal status.

        Args:
            job_id: Which job.
            timeout: Most seconds to wait; None for no bound.
            poll: Seconds between two checks.
            on_progress: Called with new progress of each check.

        Raises:
            JobTimeoutError: when the time is up. The job goes on.
            ValidationError: when ``timeout`` or ``poll`` is below 0.
        """
        deadline = WaitDeadline(self._clock.monotonic, timeout=timeout, poll=poll)
        while True:
            job = self.check(job_id)
            if job.status.is_terminal:
                return job
            if job.progress is not None:
                on_progress(job.progress)
            self._clock.sleep(deadline.next_pause(job))

    def preview(self, job: Job) -> Preview:
        """Return the newest preview of a job, and have its run draw previews from now on.

        What goes wrong is no error but a preview without a picture: nothing depends on one.

        Args:
            job: As it was last seen.
        """
        if job.status.is_terminal:
            return Preview(reason=f"the job is {job.status}")
        try:
            return find_answers(find_provider(self._providers, job.provider)).preview(job)
        except TioMagicError as error:
            self._on_trouble(error)
            return Preview()

    def list(self, query: JobQuery) -> list[Job]:
        """Return stored jobs, newest first; the first call also reclaims jobs of dead workers."""
        if self._supervisor is not None and not self._has_recovered:
            # Set first: a recovery that fails is not repeated with every listing.
            self._has_recovered = True
            self._recover_queued()
        return self._repository.list(query)

    def _recover_queued(self) -> None:
        """Recover the oldest jobs of this machine, without remote requests: it has to be cheap."""
        self._outputs.remove_partials()
        limit = MAX_JOBS_RECOVERED_ON_LIST
        oldest = JobQuery(status=OPEN_STATUSES, limit=limit, oldest_first=True)
        runs_here = self._supervisor.runs_here if self._supervisor else lambda _job: False
        self._refresh_all([job for job in self._repository.list(oldest) if runs_here(job)])

    def recover(self, *, leave_unsent: bool = False) -> Sequence[Job]:
        """Recover every job that is not over, as after a crash or a reboot.

        Jobs of dead workers fail or are retried, remote jobs are polled, finished videos are saved,
        queues with jobs get a worker, and partial files of dead processes are deleted.

        If several processes recover at once, each checks other jobs, so that each video is fetched
        once.

        Args:
            leave_unsent: True where other processes submit jobs meanwhile: what one of them may be
                sending is left to it, since its provider would call it lost.

        Returns:
            The changed jobs, oldest first. An error of one job goes to ``on_trouble``, and the next
            one is checked.
        """
        self._outputs.remove_partials()
        query = JobQuery(status=OPEN_STATUSES, limit=None, oldest_first=True)
        found = self._repository.list(query)
        return self._refresh_all(
            [job for job in found if not (leave_unsent and self.is_being_sent(job))]
        )

    def is_being_sent(self, job: Job) -> bool:
        """Return whether a process may be sending a stored job to its provider now."""
        return self._senders.is_being_sent(job)

    def _refresh_all(self, jobs: Sequence[Job]) -> Sequence[Job]:
        changed: dict[str, Job] = {}
        order = [job.job_id for job in jobs]
        # Jobs that other processes check are waited for at the end, so that all are up to date.
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
        """Check one of many jobs, catching its errors; None when another process checks it."""
        try:
            with self._claim_job(job.job_id, timeout_s) as is_ours:
                if not is_ours:
                    return None
                stored = self._repository.get(job.job_id)
                # Another process may have finished the job since the listing.
                return job if stored.status.is_terminal else self._refresh(stored)
        except TioMagicError as error:
            self._on_trouble(error)
        except Exception as error:  # noqa: BLE001 - a plug-in may raise anything
            self._on_trouble(
                ProcessingError(
                    f"job {job.job_id} cannot be looked at: {type(error).__name__}: {error}",
                    details={"job_id": job.job_id},
                    code=ErrorCode.UNEXPECTED,
                )
            )
        return job

    def cancel(self, job_id: str, *, lost: bool = False) -> Job:
        """Cancel a job and store the outcome. A finished job stays unchanged.

        Args:
            job_id: Which job.
            lost: True to end a job whose run is lost, for example with a machine that will not come
                back: the provider is not asked, and the process's leases are released. If the run
                comes back, it finds its job canceled, and stops.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when ``lost`` is set, but its run was seen just now.
            APIError: when the provider cannot be reached; the job stays ``canceling``, and the next
                call retries.
        """
        job = self._repository.get(job_id)
        if lost:
            return self._cancel_lost(job)
        # Stored first: if the provider cannot be reached, the next check or cancel asks it again.
        job = self._ask_to_stop(job)
        if job.status.is_terminal:
            return job
        self._supervise(job)
        report = ask_provider(find_provider(self._providers, job.provider).cancel, job)
        return self._updater.apply(job, report)

    def _ask_to_stop(self, job: Job) -> Job:
        return self._updater.update(job, lambda job, at: ask_to_stop(job, at=at))

    def _cancel_lost(self, job: Job) -> Job:
        if not (job.status.is_terminal or _waits_for_worker(job)):
            job = self._check_lost(job)
        if job.status.is_terminal:
            return job
        if self._supervisor is not None:
            self._supervisor.release_lost(job)
        if _waits_for_worker(job):
            return self._ask_to_stop(job)
        report = Report(status=JobStatus.CANCELED, message=LOST_RUN_MESSAGE)
        return self._updater.apply(job, report)

    def _check_lost(self, job: Job) -> Job:
        """Return a running job after a last poll.

        Raises:
            ValidationError: when its run is seen, and not over.
        """
        try:
            report = ask_provider(find_provider(self._providers, job.provider).poll, job)
        except TioMagicError as error:
            self._on_trouble(error)
            return job  # The provider cannot be reached: the expected case.
        if report.status.is_terminal:
            return self.check(job.job_id)
        if report.is_reachable:
            raise ValidationError(
                f"job {job.job_id} is not lost: its run was seen just now; "
                f"{NextStep.CANCEL_AS_SEEN.say()}",
                details={"job_id": job.job_id},
                code=ErrorCode.NOT_LOST,
            )
        return job

    def explain_waiting(self, queue: str) -> str | None:
        """Return why no worker takes the jobs of a queue now; None without problems."""
        return find_waiting_reason(self._repository, queue)

    def _store_waiting_reason(self, job: Job, why: str | None) -> Job:
        try:
            return self._updater.update(
                job, lambda job, at: with_waiting_reason(job, why, at=at), quiet=True
            )
        except ProcessingError as error:
            self._on_trouble(error)
            return job

    def _supervise(self, job: Job) -> str | None:
        """Ensure that a job has a worker; return why the job waits, if it does."""
        if self._supervisor is None:
            return None
        try:
            return self._supervisor.supervise(job)
        except ConfigurationError as error:
            # No worker now: a later check retries, and the job's message has the reason.
            self._on_trouble(error)
            return f"{WAITING_REASON_PREFIX}{error.message}"
        except ProcessingError as error:
            self._on_trouble(error)  # For example a full disk: the next check retries.
            return None


def _waits_for_worker(job: Job) -> bool:
    return job.queue is not None and job.status is JobStatus.QUEUED


def find_provider(providers: Mapping[str, Provider], name: str) -> Provider:
    """Return a provider by its name.

    Raises:
        UnknownProviderError: when there is none of that name; the message lists them.
    """
    require_provider(providers, name)
    return providers[name]


def require_provider(providers: Mapping[str, Provider], name: str) -> None:
    """Raise if there is no provider of a name; builds none.

    Raises:
        UnknownProviderError: the message lists them.
    """
    if name not in providers:
        raise UnknownProviderError(
            f"there is no provider {name!r}.{did_you_mean(name, providers)} "
            f"Providers: {list_names(providers)}",
            details={"provider": name, "known": sorted(providers)},
        )
