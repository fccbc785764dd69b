"""Runs a stored job to its end, and stores how it ended."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import replace
from typing import Final

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    GenerationCanceledError,
    ProcessingError,
    ResourceNotFoundError,
    TioMagicError,
    ValidationError,
)
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.finishing import Finish, keep_as_it_is
from tiomagic_domain.lifecycle.job_updater import NO_FACTS, ignore_change, ignore_trouble
from tiomagic_domain.lifecycle.observer import JobObserver, never_stop
from tiomagic_domain.lifecycle.provider_answers import validate_report
from tiomagic_domain.money.charges import NOT_SENT
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Provider, Report, Request
from tiomagic_domain.progress import ProgressSink, ignore_progress
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.usecases.interruptions import say_canceled, say_kept, say_perhaps_started
from tiomagic_domain.usecases.tracking import JobTracker, find_provider
from tiomagic_domain.workers import Background, DeviceLock
from tiomagic_domain.workers.environmental_errors import is_environmental

__all__ = ["JobRuns"]

REFUSALS: Final = (
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    ResourceNotFoundError,
    ValidationError,
)
"""Errors of a submission that has started nothing; so have those of ``APIError``, but for a lost
answer. After any other error a remote run may go on, and be billed."""

WORKER_STOPPED_REPORT = Report(
    status=JobStatus.FAILED,
    error="the worker that ran the job was asked to end",
    error_code=ErrorCode.WORKER_LOST,
)


class JobRuns(JobTracker):
    """The use cases of ``JobTracker``, and those that a worker needs: run, abandon, requeue, fail.

    Args:
        providers: The providers by name.
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        clock: The time.
        preparation: Turns a stored job into a request.
        on_change: Called with every stored change of a job, except steps within a phase.
        on_trouble: Called with errors that do not stop a run.
        catalogue: The available models; all known ones when left out.
        background: The parts of background jobs; None without them.
        finish: What becomes of a provider's video before it is saved.
    """

    def __init__(  # noqa: PLR0913 - by keyword only, one for each part
        self,
        *,
        providers: Mapping[str, Provider],
        repository: JobRepository,
        outputs: OutputStore,
        clock: Clock,
        preparation: Preparation,
        on_change: Callable[[Job], None] = ignore_change,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        catalogue: Mapping[str, ModelCard] | None = None,
        background: Background | None = None,
        finish: Finish = keep_as_it_is,
    ) -> None:
        super().__init__(
            providers=providers,
            repository=repository,
            outputs=outputs,
            clock=clock,
            on_change=on_change,
            on_trouble=on_trouble,
            background=background,
            finish=finish,
        )
        self._background = background
        self._catalogue = catalogue
        self._preparation = preparation

    def run_job(self, job: Job, *, stop_requested: Callable[[], bool] = never_stop) -> Job:
        """Run a queued job that this process has claimed, to its end.

        Args:
            job: Stored as running, with this process as its call id.
            stop_requested: Says whether this process is to end before the job is over.

        Raises:
            TioMagicError: when it failed; it is stored so.
        """
        done = self._updater.complete_if_saved(job)
        if done is not None:
            return done  # Its video is saved already: only the record of that was lost.
        try:
            runner = find_provider(self._providers, job.provider)
            card = find_model(
                job.model,
                job.feature,
                job.provider,
                runs=runner.capabilities().runs,
                catalogue=self._catalogue,
            )
            request = self._preparation.restore(job, card)
        except TioMagicError as error:
            self._store_failure(job, error)
            raise
        return self._run(runner, request, stop_requested=stop_requested)

    def abandon(self, job: Job, *, stop_requested: bool) -> Job:
        """Store the end of a job whose process is about to end or has stopped it.

        Args:
            job: The job when the process claimed it.
            stop_requested: True when the process was asked to end: unless canceled, the job is then
                retried if ``retry`` allows. False when the job was canceled.
        """
        if stop_requested and self._supervisor is not None:
            return self._supervisor.handle_lost_worker(job, WORKER_STOPPED_REPORT)
        message = "canceled; the run did not answer and was ended with its process"
        return self._updater.apply(job, Report(status=JobStatus.CANCELED, message=message))

    def requeue(self, job: Job, error: Exception) -> None:
        """Queue a job again that a failure of the machine has stopped.

        Args:
            job: The job when the process claimed it; nothing happens if another process has it now.
            error: The failure.

        Raises:
            ProcessingError: when it cannot be stored now.
        """
        if self._supervisor is not None:
            self._supervisor.requeue(job, error)

    def fail(self, job: Job, error: Exception) -> None:
        """Store that a job failed, because the job itself is the cause.

        Args:
            job: The job when the process claimed it; nothing happens if another process has it.
            error: The reason.
        """
        stored = self._repository.get(job.job_id)
        if stored.status is JobStatus.QUEUED or stored.call_id == job.call_id:
            self._updater.fail(stored, error)

    def _refresh(self, job: Job) -> Job:
        """Check a job; one that its process has left unsent is sent now."""
        job, is_ours = self._senders.take(job)
        if not is_ours:
            if self._senders.has_living_sender(job):
                return job  # Its provider does not know it yet, and might call it lost.
            return super()._refresh(job)
        try:
            return self.run_job(job)
        except TioMagicError as error:
            self._on_trouble(error)
            return self._repository.get(job.job_id)  # It says itself what became of it.

    def _run(
        self,
        runner: Provider,
        request: Request,
        *,
        on_progress: ProgressSink = ignore_progress,
        stop_requested: Callable[[], bool] = never_stop,
        lock: DeviceLock | None = None,
    ) -> Job:
        """Submit a stored job; a blocking provider runs it to its end.

        Args:
            runner: The provider.
            request: Of the job.
            on_progress: Called with each progress event.
            stop_requested: Says whether this process is to end before the job is over.
            lock: Held during the submission; may wait.

        Raises:
            TioMagicError: when it could not be run; it is stored as failed.
        """
        job = request.job
        observer = JobObserver(
            job,
            updater=self._updater,
            repository=self._repository,
            clock=self._clock,
            on_progress=on_progress,
            on_trouble=self._on_trouble,
            stop_requested=stop_requested,
        )
        report = replace(self._submit(runner, request, observer, lock), ends_sending=True)
        if report.status is JobStatus.CANCELED and stop_requested():
            return self.abandon(job, stop_requested=True)
        # The job may have been canceled during the submission; a report without news does not show
        # it.
        try:
            job = self._updater.apply(self._repository.get(job.job_id), report)
        except KeyboardInterrupt as interrupt:
            if report.video is not None:
                interrupt.add_note(say_kept(job.job_id))
            raise
        return self._stop_if_canceled(runner, job, report)

    def _submit(
        self,
        runner: Provider,
        request: Request,
        observer: JobObserver,
        lock: DeviceLock | None,
    ) -> Report:
        """Submit a stored job, and return the provider's first report.

        Raises:
            TioMagicError: when it could not be run; it is stored as failed.
            KeyboardInterrupt: with a note of what becomes of the job.
        """
        job = request.job
        try:
            # Held by the calling process alone; a job of a queue has its worker's lock already.
            with lock.hold(job, observer) if lock else nullcontext():
                return validate_report(runner.submit(request, observer), job)
        except GenerationCanceledError as error:
            # A remote provider looks for a cancel before it sends a job, and not after.
            facts = {} if runner.capabilities().blocking else {NOT_SENT: True}
            return Report(status=JobStatus.CANCELED, message=error.message, facts=facts)
        except APIError as error:
            if error.code != ErrorCode.ANSWER_LOST:
                self._store_failure(job, error, was_refused=True)
                raise
            # It may run already. A second submission could make and bill it twice, so it is only
            # looked up.
            return Report(status=JobStatus.QUEUED, message=error.message)
        except KeyboardInterrupt as interrupt:
            # A run in this process ends with it; a remote one may have started and is looked up.
            if runner.capabilities().blocking:
                interrupted = Report(status=JobStatus.CANCELED, message="interrupted")
                self._updater.apply(job, interrupted)
                interrupt.add_note(say_canceled(job.job_id))
            else:
                given_up = Report(status=JobStatus.QUEUED, ends_sending=True)
                self._updater.apply(job, given_up)  # Its caller decides what becomes of it.
                interrupt.add_note(say_perhaps_started(job.job_id))
            raise
        except Exception as error:
            self._store_failure(job, error, was_refused=isinstance(error, REFUSALS))
            raise

    def _stop_if_canceled(self, runner: Provider, job: Job, report: Report) -> Job:
        """Stop a run that was canceled during its submission."""
        # The cancel came before the provider had named the run, and could not reach it: now it can.
        goes_on = job.status in {JobStatus.QUEUED, JobStatus.RUNNING}
        if goes_on or report.status.is_terminal:
            return job
        try:
            return self._updater.apply(job, runner.cancel(replace(job, call_id=report.call_id)))
        except APIError as error:
            self._on_trouble(error)
            return job

    def _store_failure(self, job: Job, error: Exception, *, was_refused: bool = False) -> None:
        """Store why a run failed; after a failure of the machine a queue's job waits again.

        Args:
            job: Which job.
            error: Why.
            was_refused: True when the provider has started nothing, so that nothing is billed.
        """
        # A full disk or a driver that is gone would fail every job of the queue, one after the
        # other.
        if job.queue is not None and self._supervisor is not None and is_environmental(error):
            try:
                after = self._supervisor.requeue(job, error)
            except ProcessingError as trouble:
                self._on_trouble(trouble)  # Its worker retries it.
                return
            if after.status is not JobStatus.RUNNING:
                return
            # The job still runs: its provider has given the run another call id.
        self._updater.fail(job, error, {NOT_SENT: True} if was_refused else NO_FACTS)
