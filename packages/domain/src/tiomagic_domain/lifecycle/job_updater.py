"""Changing a stored job while others may change it too, and bringing its video home.

::

    the job that the caller read ──► change ──► save, if the version is still the one that was read
                  ▲                                  │
                  └────── the newest state ◄─────────┘ else: another writer was faster
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ProcessingError, StaleJobError, TioMagicError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.recipe import with_recipe
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.lifecycle.provider_answers import explain_non_video
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Report

SHA256_FACT = "sha256"
"""The fact with the hash of the finished file, in hexadecimal digits."""


def ignore_change(job: Job) -> None:
    """Take a changed job and do nothing."""


def ignore_trouble(error: TioMagicError) -> None:
    """Take an error and do nothing."""


class JobUpdater:
    """The one way to change a stored job: by compare-and-swap.

    Each method takes the job as its caller has read it. It is read again only when another writer
    has changed it since.

    Args:
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        clock: The time of each change.
        on_change: Called with each stored change that is not quiet; a step within a phase is.
        on_trouble: Called with a failure that could not be stored.
    """

    def __init__(
        self,
        repository: JobRepository,
        outputs: OutputStore,
        clock: Clock,
        on_change: Callable[[Job], None] = ignore_change,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
    ) -> None:
        self._repository = repository
        self._outputs = outputs
        self._clock = clock
        self._on_change = on_change
        self._on_trouble = on_trouble

    def add(self, job: Job) -> None:
        """Store a new job."""
        self._repository.add(job)
        self._on_change(job)

    def update(
        self, job: Job, change: Callable[[Job, datetime], Job | None], *, quiet: bool = False
    ) -> Job:
        """Change a job and save it.

        Ends: each save that is refused is one that another writer has made.

        Args:
            job: As it was read.
            change: Gives the changed job, or None when there is nothing to change. Called again
                with the newest state when that is another one than ``job``.
            quiet: True for a change that nobody is to be notified of.

        Returns:
            The job as it is stored now, or as it was read when there was nothing to change.
        """
        while True:
            changed = change(job, self._clock.now())
            if changed is None:
                return job
            try:
                saved = self._repository.save(changed)
            except StaleJobError:
                job = self._repository.get(job.job_id)
                continue
            if not quiet and not _is_step(job, saved):
                self._on_change(saved)
            return saved

    def apply(self, job: Job, report: Report) -> Job:
        """Store what a provider reports of a job, and bring home the video that comes with it.

        Raises:
            ProcessingError: when the video cannot be written; it is kept where it is.
        """
        if report.status is not JobStatus.COMPLETED:
            return self._apply(job, report)
        if report.video is None:
            raise ProcessingError(f"the provider says job {job.job_id} is done, but gave no video")
        # A download takes minutes: another process may have brought the video home meanwhile.
        job = self._repository.get(job.job_id)
        if job.status.is_terminal:
            report.video.path.unlink(missing_ok=True)
            return job
        reason = _no_video(report.video.path)
        if reason is not None:
            message = f"the result is no video: {reason} ({report.video.path})"
            failed = Report(status=JobStatus.FAILED, error=message, error_code=ErrorCode.NO_VIDEO)
            return self._apply(job, failed)
        try:
            path = self._outputs.save(job, with_recipe(job, report.video, report.facts))
        except ProcessingError as error:
            home = self.complete_if_saved(job)
            if home is not None:
                return home  # Another process was faster, and took the file with it.
            message = f"the video is finished but could not be saved: {error.message}"
            kept = Report(status=job.status, message=message)
            job = self._apply(self._repository.get(job.job_id), kept)
            if job.status is JobStatus.COMPLETED:
                return job  # Another process was faster, and took the file with it.
            error.details.setdefault("job_id", job.job_id)
            raise
        return self._complete(job, report, path)

    def complete_if_saved(self, job: Job) -> Job | None:
        """Return the job as completed when its video is in place already, else None.

        The process that put it there died before it could store that.
        """
        saved = self._outputs.find(job)
        if saved is None:
            return None
        facts = saved.recipe.get("facts")
        known = facts if isinstance(facts, dict) else {}
        report = Report(status=JobStatus.COMPLETED, message="completed", facts=known)
        return self._complete(job, report, saved.path)

    def fail(self, job: Job, error: Exception) -> None:
        """Store why a job failed; when this cannot be stored, ``on_trouble`` hears of it."""
        message, code = f"{type(error).__name__}: {error}", str(ErrorCode.UNEXPECTED)
        if isinstance(error, TioMagicError):
            message, code = error.message, error.code
            error.details.setdefault("job_id", job.job_id)
        try:
            self._apply(job, Report(status=JobStatus.FAILED, error=message, error_code=code))
        except ProcessingError as trouble:
            # The caller has to hear why the job failed, and not that this could not be stored.
            self._on_trouble(trouble)

    def _apply(self, job: Job, report: Report, **changes: Any) -> Job:
        return self.update(job, lambda job, at: apply_report(job, report, at=at, **changes))

    def _complete(self, job: Job, report: Report, path: Path) -> Job:
        facts = {**report.facts, SHA256_FACT: hash_file(path)}
        return self._apply(job, replace(report, facts=facts), result_video=str(path))


def _is_step(before: Job, after: Job) -> bool:
    """Return whether a change is a step within a phase and no more: there are many of them."""
    old, new = before.progress, after.progress
    if old is None or new is None or old.phase is not new.phase:
        return False
    if after.message not in {before.message, str(new)}:
        return False
    same = {name: getattr(before, name) for name in ("message", "last_updated", "version")}
    return replace(after, progress=old, **same) == before


def _no_video(path: Path) -> str | None:
    """Return why a result is no video; a file that cannot be read is a matter of saving it."""
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
