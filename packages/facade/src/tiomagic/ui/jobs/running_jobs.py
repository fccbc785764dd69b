"""Polls the running jobs for all pages: progress, the time of the phase, and previews."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from tiomagic.display.journal import get_logger
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.jobs.job import TERMINAL, Job, JobQuery, JobStatus
from tiomagic_domain.ports.provider import RETRY_AFTER
from tiomagic_domain.progress import EtaEstimator, Preview

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session

CHECK_INTERVAL_S: Final = 1.0
"""Seconds between two polls of a job, however many pages are open."""
MAX_JOBS_CHECKED: Final = 20
"""Most jobs that are polled; the oldest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningJob:
    """A job that is not over, as of the last poll."""

    job: Job
    eta_s: float | None
    """Estimated seconds until the end of the phase; None while unknown."""
    trouble: str = ""
    """Why the last poll failed; empty when it succeeded."""
    preview: Preview = field(default_factory=Preview)
    """A picture of the unfinished video, or why there is none."""


class RunningJobs:
    """Polls the jobs that are not over, for all pages together. Thread-safe.

    Args:
        session: Whose jobs.
    """

    def __init__(self, session: Session) -> None:
        self._session = session
        self._eta_estimators: dict[str, EtaEstimator] = {}
        self._next_polls: dict[str, float] = {}
        self._moments: list[RunningJob] = []
        self._looked = 0.0
        self._stale = True
        self._lock = threading.Lock()

    def snapshot(self) -> list[RunningJob]:
        """Return the jobs that are not over: those that run, then the others as they will run.

        While one caller polls, the others get the previous result: a provider that does not answer
        delays one page, not all of them.
        """
        if self._lock.acquire(blocking=False):
            try:
                now = self._session.clock.monotonic()
                if self._stale or now - self._looked >= CHECK_INTERVAL_S:
                    # Set before the poll: a ``forget`` during it must cause another one.
                    self._stale = False
                    self._moments = self._look()
                    self._looked = now
            finally:
                self._lock.release()
        return self._moments

    def invalidate(self) -> None:
        """Poll again at the next call, because a job was submitted or canceled."""
        self._stale = True

    def _look(self) -> list[RunningJob]:
        generation = self._session.generation
        active = frozenset(JobStatus) - TERMINAL
        jobs = generation.list(JobQuery(status=active, limit=MAX_JOBS_CHECKED, oldest_first=True))
        found = [self._moment(job) for job in jobs]
        # Estimators of finished jobs are dropped.
        ids = [m.job.job_id for m in found]
        self._eta_estimators = {job_id: self._eta_estimators[job_id] for job_id in ids}
        self._next_polls = {job_id: self._next_polls.get(job_id, 0.0) for job_id in ids}
        open_ones = (moment for moment in found if not moment.job.status.is_terminal)
        return sorted(open_ones, key=_place)

    def _moment(self, job: Job) -> RunningJob:
        pace = self._eta_estimators.setdefault(
            job.job_id, EtaEstimator(self._session.clock.monotonic)
        )
        try:
            job = self._poll(job)
            return RunningJob(
                job=job, eta_s=pace.eta_s(job.progress), preview=self._look_at_preview(job)
            )
        except TioMagicError as error:
            return RunningJob(job=job, eta_s=None, trouble=error.message)
        except Exception as error:  # noqa: BLE001 - one job's trouble must not hide the others
            trouble = f"{type(error).__name__}: {error}"
            get_logger().warning("ui.job_not_checked", job_id=job.job_id, error=trouble)
            return RunningJob(job=job, eta_s=None, trouble=trouble)

    def _poll(self, job: Job) -> Job:
        """Return a job after a poll, unless its provider has asked for a later one."""
        now = self._session.clock.monotonic()
        # A cancel's report drops the provider's word, and the job is polled again at once.
        if RETRY_AFTER in job.facts and now < self._next_polls.get(job.job_id, 0.0):
            return job
        job = self._session.generation.check(job.job_id)
        self._next_polls[job.job_id] = now + float(job.facts.get(RETRY_AFTER, 0.0))
        return job

    def _look_at_preview(self, job: Job) -> Preview:
        # Of jobs that others started too: a bad run can be stopped from any page.
        if job.status is not JobStatus.RUNNING:
            return Preview()
        return self._session.generation.preview(job)


def _place(moment: RunningJob) -> tuple[bool, int]:
    """Return what sorts a job among those of the same age and older."""
    return moment.job.status is JobStatus.QUEUED, -moment.job.priority
