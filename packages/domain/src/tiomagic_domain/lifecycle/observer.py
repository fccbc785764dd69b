"""Observes a running submission: stores its progress, and checks for cancels."""

from __future__ import annotations

from collections.abc import Callable

from tiomagic_domain.errors import GenerationCanceledError, ProcessingError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.lifecycle.job_updater import JobUpdater, ignore_trouble
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import Phase, ProgressSink, ignore_progress

STEP_INTERVAL_S = 1.0
"""Least seconds between two stored steps; a display polls about once a second."""

CANCEL_INTERVAL_S = 0.5
"""Least seconds between two checks for a cancel: each is a read of the database."""


def never_stop() -> bool:
    """Return False: this process may continue."""
    return False


class JobObserver:
    """Stores the reports of a running provider on a job.

    Args:
        job: As it is stored when the submission begins.
        updater: Stores changes.
        repository: From which cancels are read.
        clock: For the intervals.
        on_progress: Called with every progress event, stored or not.
        on_trouble: Called when progress could not be stored; the run continues.
        stop_requested: Says whether this process is to end, which ends the run as well.
    """

    def __init__(
        self,
        job: Job,
        *,
        updater: JobUpdater,
        repository: JobRepository,
        clock: Clock,
        on_progress: ProgressSink = ignore_progress,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        stop_requested: Callable[[], bool] = never_stop,
    ) -> None:
        self._stop_requested = stop_requested
        self._job = job
        self._updater = updater
        self._repository = repository
        self._clock = clock
        self._on_progress = on_progress
        self._on_trouble = on_trouble
        self._phase: Phase | None = None
        self._stored_at = float("-inf")
        self._looked_at = float("-inf")

    def report(self, report: Report) -> None:
        """Pass a progress event on, and store it unless the last one was just stored."""
        progress = report.progress
        if progress is not None:
            self._on_progress(progress)
            if progress.preview is not None:
                return  # The step itself was reported before, and a picture is never stored.
        same_phase = progress is not None and progress.phase is self._phase
        now = self._clock.monotonic()
        if same_phase and now - self._stored_at < STEP_INTERVAL_S:
            return
        self._phase = progress.phase if progress is not None else self._phase
        self._stored_at = now
        try:
            self._job = self._updater.apply(self._job, report)
        except ProcessingError as error:
            # Lost progress does no harm: the run must not fail because of it.
            self._on_trouble(error)

    def raise_if_canceled(self) -> None:
        """Return, or raise if the stored job is ``canceling`` or the process is to end."""
        if self._stop_requested():
            raise self._stopped("stops: its process was asked to end")
        now = self._clock.monotonic()
        if now - self._looked_at < CANCEL_INTERVAL_S:
            return
        self._looked_at = now
        try:
            self._job = self._repository.get(self._job.job_id)
        except ProcessingError as error:
            self._on_trouble(error)
            return
        if self._job.status in {JobStatus.CANCELING, JobStatus.CANCELED}:
            raise self._stopped("was canceled")

    def _stopped(self, why: str) -> GenerationCanceledError:
        return GenerationCanceledError(
            f"job {self._job.job_id} {why}", details={"job_id": self._job.job_id}
        )
