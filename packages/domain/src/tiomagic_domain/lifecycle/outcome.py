"""Storing a provider's word, and bringing home the video that may come with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from tiomagic_domain.errors import ProcessingError, TioMagicError
from tiomagic_domain.files.digests import sha256_of
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.jobs.recipe import with_recipe
from tiomagic_domain.lifecycle.apply_report import apply_report
from tiomagic_domain.lifecycle.job_writer import JobWriter
from tiomagic_domain.lifecycle.provider_answers import NO_VIDEO, explain_non_video
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Report

SHA256_FACT = "sha256"
"""The fact with the hash of the finished file, in hexadecimal digits."""


class OutcomeRecorder:
    """Stores what providers say of jobs.

    Args:
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        writer: Stores changes.
        on_trouble: Told of a failure that could not be stored.
    """

    def __init__(
        self,
        repository: JobRepository,
        outputs: OutputStore,
        writer: JobWriter,
        on_trouble: Callable[[TioMagicError], None],
    ) -> None:
        self._repository = repository
        self._outputs = outputs
        self._writer = writer
        self._on_trouble = on_trouble

    def complete_if_saved(self, job: Job) -> Job | None:
        """Return the job as completed when its video is in place already, else None.

        Whoever put it there died before it could tell.
        """
        saved = self._outputs.find(job)
        if saved is None:
            return None
        facts = saved.recipe.get("facts")
        known = facts if isinstance(facts, dict) else {}
        report = Report(status=JobStatus.COMPLETED, message="completed", facts=known)
        return self._complete(job.job_id, report, saved.path)

    def apply(self, job_id: str, report: Report) -> Job:
        """Store a provider's word.

        Raises:
            ProcessingError: when the video cannot be written; it is kept where it is.
        """
        if report.status is not JobStatus.COMPLETED:
            return self._writer.change(job_id, lambda job, at: apply_report(job, report, at=at))
        job = self._repository.get(job_id)
        if report.video is None:
            raise ProcessingError(f"the provider says job {job_id} is done, but gave no video")
        if job.status.is_terminal:
            # Another process has brought the video home: this copy of it is not needed.
            report.video.path.unlink(missing_ok=True)
            return job
        reason = _no_video(report.video.path)
        if reason is not None:
            message = f"the result is no video: {reason} ({report.video.path})"
            return self.apply(
                job_id, Report(status=JobStatus.FAILED, error=message, error_code=NO_VIDEO)
            )
        try:
            path = self._outputs.save(job, with_recipe(job, report.video, report.facts))
        except ProcessingError as error:
            home = self.complete_if_saved(job)
            if home is not None:
                return home  # Another process was faster, and took the file with it.
            message = f"the video is finished but could not be saved: {error.message}"
            kept = Report(status=job.status, message=message)
            job = self._writer.change(job_id, lambda job, at: apply_report(job, kept, at=at))
            if job.status is JobStatus.COMPLETED:
                return job  # Another process was faster, and took the file with it.
            error.details.setdefault("job_id", job_id)
            raise
        return self._complete(job_id, report, path)

    def fail(self, job_id: str, error: Exception) -> None:
        """Store why a job failed; that this could not be stored is told and not raised."""
        message, code = f"{type(error).__name__}: {error}", "unexpected"
        if isinstance(error, TioMagicError):
            message, code = error.message, error.code
            error.details.setdefault("job_id", job_id)
        try:
            self.apply(job_id, Report(status=JobStatus.FAILED, error=message, error_code=code))
        except ProcessingError as trouble:
            # The caller has to hear why the job failed, and not that this could not be stored.
            self._on_trouble(trouble)

    def _complete(self, job_id: str, report: Report, path: Path) -> Job:
        facts = {**report.facts, SHA256_FACT: hash_file(path)}
        whole = replace(report, facts=facts)
        return self._writer.change(
            job_id, lambda job, at: apply_report(job, whole, at=at, result_video=str(path))
        )


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
