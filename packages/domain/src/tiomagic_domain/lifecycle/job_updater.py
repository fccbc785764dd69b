"""Changes a stored job by compare-and-swap, safe in races with other writers, and saves its video.

::

    the job that the caller read ──► change ──► save, if the version is still the one that was read
                  ▲                                  │
                  └────── the newest state ◄─────────┘ else: another writer was faster
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError, StaleJobError, TioMagicError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.rates import JobRate
from tiomagic_domain.jobs.recipe import with_recipe
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.lifecycle.finishing import Finish, keep_as_it_is
from tiomagic_domain.lifecycle.provider_answers import explain_non_video
from tiomagic_domain.money.budgets import Budget
from tiomagic_domain.money.charges import find_charge
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.cost_keeping import KeepsCosts
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Report

NO_FACTS: Final[Mapping[str, Any]] = MappingProxyType({})
SHA256_FACT = "sha256"
"""The fact with the SHA-256 of the finished file, in hexadecimal digits."""


def ignore_change(job: Job) -> None:
    """Take a changed job and do nothing."""


def ignore_trouble(error: TioMagicError) -> None:
    """Take an error and do nothing."""


class JobUpdater:
    """The one way to change a stored job: by compare-and-swap.

    Each method takes the job that its caller has read. It is read again only if another writer has
    changed it since.

    Args:
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        clock: The time of each change.
        on_change: Called with each stored change, except quiet ones such as steps within a phase.
        on_trouble: Called with a failure that could not be stored.
        finish: What becomes of a provider's video before it is saved, such as a part that is joined
            to a whole.
    """

    def __init__(
        self,
        repository: JobRepository,
        outputs: OutputStore,
        clock: Clock,
        on_change: Callable[[Job], None] = ignore_change,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        *,
        finish: Finish = keep_as_it_is,
    ) -> None:
        self._repository = repository
        self._outputs = outputs
        self._clock = clock
        self._on_change = on_change
        self._on_trouble = on_trouble
        self._finish = finish

    def add(self, job: Job, budgets: Sequence[Budget] = (), rate: JobRate | None = None) -> None:
        """Store a new job, if it fits into the budgets and the rate.

        Raises:
            ConfigurationError: with the code ``over_budget`` when one has no room for it, and with
                ``no_budgets`` when the repository keeps none.
            RateLimitError: when the rate has no room for it.
        """
        if rate is None and (not budgets or find_charge(job) is None):
            self._repository.add(job)
        elif isinstance(self._repository, KeepsCosts):
            self._repository.add_within(job, budgets, rate)
        else:
            raise ConfigurationError(
                "this job store cannot keep a budget: it does not sum what jobs cost",
                code=ErrorCode.NO_BUDGETS,
            )
        self._on_change(job)

    def update(
        self, job: Job, change: Callable[[Job, datetime], Job | None], *, quiet: bool = False
    ) -> Job:
        """Change a job and save it.

        The loop ends, because each refused save means that another writer has succeeded.

        Args:
            job: As it was read.
            change: Gives the changed job, or None for no change. Called again with the newest state
                if that differs from ``job``.
            quiet: True for a change without a notification.

        Returns:
            The job as stored, or as read if there was nothing to change.
        """
        while True:
            changed = change(job, self._clock.now())
            if changed is None:
                return job
            try:
                saved = self._repository.save(changed)
            # Another writer was faster. The change is computed anew from what that one stored: it
            # may now be a change that is no longer wanted.
            except StaleJobError:
                job = self._repository.get(job.job_id)
                continue
            if not quiet and not _is_step(job, saved):
                self._on_change(saved)
            return saved

    def apply(self, job: Job, report: Report) -> Job:
        """Store a provider's report on a job, and save the video that comes with it.

        Raises:
            ProcessingError: when the video cannot be written; the source file stays.
        """
        if report.status is not JobStatus.COMPLETED:
            return self._apply(job, report)
        if report.video is None:
            raise ProcessingError(f"the provider says job {job.job_id} is done, but gave no video")
        # A download takes minutes: another process may have saved the video meanwhile.
        job = self._repository.get(job.job_id)
        if job.status.is_terminal:
            # The job is over already, so this copy of the video is not needed.
            report.video.path.unlink(missing_ok=True)
            return job
        reason = _no_video(report.video.path)
        if reason is not None:
            message = f"the result is not a video: {reason} ({report.video.path})"
            failed = Report(status=JobStatus.FAILED, error=message, error_code=ErrorCode.NO_VIDEO)
            return self._apply(job, failed)
        try:
            finished = self._finish(job, with_recipe(job, report.video, report.facts))
            path = self._outputs.save(job, finished.video)
            # The output store has moved the file that it was given; when that is a joined whole,
            # the provider's part is still there.
            if finished.video.path != report.video.path:
                report.video.path.unlink(missing_ok=True)
        except ProcessingError as error:
            home = self.complete_if_saved(job)
            if home is not None:
                return home  # Another process was faster, and took the file with it.
            # The status stays: the video is still in the spool, and the next check saves it, for
            # example when the disk has room again.
            message = f"the video is finished but could not be saved: {error.message}"
            kept = Report(status=job.status, message=message)
            job = self._apply(self._repository.get(job.job_id), kept)
            if job.status is JobStatus.COMPLETED:
                return job  # Another process was faster, and took the file with it.
            error.details.setdefault("job_id", job.job_id)
            raise
        report = replace(report, facts={**report.facts, **finished.facts})
        return self._complete(job, report, path)

    def complete_if_saved(self, job: Job) -> Job | None:
        """Return the job as completed if its video is saved already, else None.

        This happens when a process dies between saving the video and the job.
        """
        saved = self._outputs.find(job)
        if saved is None:
            return None
        facts = saved.recipe.get("facts")
        known = facts if isinstance(facts, dict) else {}
        report = Report(status=JobStatus.COMPLETED, message="completed", facts=known)
        return self._complete(job, report, saved.path)

    def say_why(self, job: Job, error: ProcessingError) -> None:
        """Store why a check could not take what the provider has; the job stays as it is."""
        error.details.setdefault("job_id", job.job_id)
        try:
            self._apply(job, Report(status=job.status, message=error.message))
        except ProcessingError as trouble:
            # The store may be on the same full disk: the first error is the one to report.
            self._on_trouble(trouble)

    def fail(self, job: Job, error: Exception, facts: Mapping[str, Any] = NO_FACTS) -> None:
        """Store why a job failed; if that cannot be stored, call ``on_trouble``."""
        message, code = f"{type(error).__name__}: {error}", str(ErrorCode.UNEXPECTED)
        if isinstance(error, TioMagicError):
            message, code = error.message, error.code
            error.details.setdefault("job_id", job.job_id)
        try:
            failed = Report(status=JobStatus.FAILED, error=message, error_code=code, facts=facts)
            self._apply(job, failed)
        except ProcessingError as trouble:
            # The caller needs the reason of the failure, not the error of storing it.
            self._on_trouble(trouble)

    def _apply(self, job: Job, report: Report, **changes: Any) -> Job:
        return self.update(job, lambda job, at: apply_report(job, report, at=at, **changes))

    def _complete(self, job: Job, report: Report, path: Path) -> Job:
        facts = {**report.facts, SHA256_FACT: hash_file(path)}
        return self._apply(job, replace(report, facts=facts), result_video=str(path))


def _is_step(before: Job, after: Job) -> bool:
    """Return whether a change is only a step within a phase; these are frequent."""
    old, new = before.progress, after.progress
    if old is None or new is None or old.phase is not new.phase:
        return False
    if after.message not in {before.message, str(new)}:
        return False
    # Equal in everything else, apart from what each save changes.
    same = {name: getattr(before, name) for name in ("message", "last_updated", "version")}
    return replace(after, progress=old, **same) == before


def _no_video(path: Path) -> str | None:
    """Return why a result is not a video; a file that cannot be read fails when it is saved."""
    try:
        return explain_non_video(path)
    except OSError:
        return None


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file in hexadecimal digits.

    Raises:
        ProcessingError: when it cannot be read.
    """
    try:
        return sha256_of(path)
    except OSError as error:
        raise ProcessingError(f"the video {path} cannot be read: {error}") from error
