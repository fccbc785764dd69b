"""Handing a stored job to its provider, and storing how that went."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import replace

from tiomagic_domain.errors import (
    APIError,
    GenerationCanceledError,
    ProcessingError,
    TioMagicError,
)
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.observer import JobObserver
from tiomagic_domain.lifecycle.outcome import OutcomeRecorder
from tiomagic_domain.lifecycle.provider_answers import validate_report
from tiomagic_domain.ports.provider import Provider, Report, Request
from tiomagic_domain.workers.environmental_errors import is_environmental
from tiomagic_domain.workers.supervisor import Supervisor

ANSWER_LOST = "answer_lost"
"""Code of the error that says: the job may or may not have started."""

WORKER_LOST = "worker_lost"
"""Code of the error of a job whose process ended in the middle of it."""

WORKER_STOPPED_REPORT = Report(
    status=JobStatus.FAILED,
    error="the worker that ran the job was told to end",
    error_code=WORKER_LOST,
)


def run_unlocked(_job: Job, _observer: JobObserver) -> AbstractContextManager[None]:
    """Wait for nobody."""
    return nullcontext()


class Execution:
    """Runs stored jobs.

    Args:
        settler: Stores what providers say.
        on_trouble: Told what went wrong without stopping a run.
        supervisor: Decides whether a job whose worker ends may run again; None where no job runs
            without its caller.
    """

    def __init__(
        self,
        settler: OutcomeRecorder,
        on_trouble: Callable[[TioMagicError], None],
        supervisor: Supervisor | None,
    ) -> None:
        self._outcomes = settler
        self._on_trouble = on_trouble
        self._supervisor = supervisor

    def start(
        self,
        runner: Provider,
        request: Request,
        observer: JobObserver,
        told_to_end: Callable[[], bool],
        turn: Callable[[Job, JobObserver], AbstractContextManager[None]] = run_unlocked,
    ) -> Job:
        """Submit a job that is stored; a blocking provider sees it to its end.

        Args:
            runner: Who runs it.
            request: What to run.
            observer: Stores its moments.
            told_to_end: Says whether this process is to end before the job is over.
            turn: Held while the provider is at it; may wait.

        Raises:
            TioMagicError: when it could not be run; it is stored as failed.
        """
        job_id = request.job.job_id
        try:
            with turn(request.job, observer):
                report = validate_report(runner.submit(request, observer), request.job)
        except GenerationCanceledError as error:
            report = Report(status=JobStatus.CANCELED, message=error.message)
        except APIError as error:
            if error.code != ANSWER_LOST:
                self.fail(request.job, error)
                raise
            report = Report(status=JobStatus.QUEUED, message=error.message)
        except KeyboardInterrupt:
            # A run in this process ends with it; one far away may have started and is looked up.
            if runner.capabilities().blocking:
                interrupted = Report(status=JobStatus.CANCELED, message="interrupted")
                self._outcomes.apply(job_id, interrupted)
            raise
        except Exception as error:
            self.fail(request.job, error)
            raise
        if report.status is JobStatus.CANCELED and told_to_end():
            return self.abandon(request.job, told_to_end=True)
        return self._stop_if_canceled(runner, self._outcomes.apply(job_id, report), report)

    def abandon(self, job: Job, *, told_to_end: bool) -> Job:
        """Store the end of a job whose process is about to end, or has just stopped it.

        Args:
            job: As it was when the process took it.
            told_to_end: True when it is the process that was to end; a job that nobody wanted to
                stop then runs again if it may.
        """
        if told_to_end and self._supervisor is not None:
            return self._supervisor.handle_lost_worker(job, WORKER_STOPPED_REPORT)
        message = "canceled; the run did not answer and was ended with its process"
        return self._outcomes.apply(job.job_id, Report(status=JobStatus.CANCELED, message=message))

    def fail(self, job: Job, error: Exception) -> None:
        """Store why a job failed; one of a queue waits again when the failure is the machine's."""
        if job.queue is None or self._supervisor is None or not is_environmental(error):
            self._outcomes.fail(job.job_id, error)
            return
        try:
            after = self._supervisor.requeue(job, error)
        except ProcessingError as trouble:
            self._on_trouble(trouble)  # Its worker has it in hand, and tries again.
            return
        if after.status is JobStatus.RUNNING:
            self._outcomes.fail(job.job_id, error)  # Its provider names runs in its own way.

    def requeue(self, job: Job, error: Exception) -> None:
        """Let a job wait again that its worker still has in hand after such a failure.

        Raises:
            ProcessingError: when that cannot be stored now.
        """
        if self._supervisor is not None:
            self._supervisor.requeue(job, error)

    def _stop_if_canceled(self, runner: Provider, job: Job, report: Report) -> Job:
        """Stop a run that somebody canceled while its submission was under way."""
        wanted = job.status in {JobStatus.QUEUED, JobStatus.RUNNING}
        if wanted or report.status.is_terminal:
            return job
        try:
            stopped = runner.cancel(replace(job, call_id=report.call_id))
            return self._outcomes.apply(job.job_id, stopped)
        except APIError as error:
            self._on_trouble(error)
            return job
