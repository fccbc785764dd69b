"""The errors of jobs that a worker ran, as a run in the command's own process raises them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tiomagic import TioMagic
    from tiomagic_domain.errors import TioMagicError
    from tiomagic_domain.jobs.job import Job


def find_failure(tm: TioMagic, job: Job) -> TioMagicError | None:
    """Return the error that the run has ended with, as a run in this process would raise it."""
    from tiomagic_domain.errors import ProcessingError  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.jobs.job import JobStatus  # noqa: PLC0415  # The same.
    from tiomagic_domain.workers.supervisor import find_requeue_reason  # noqa: PLC0415  # The same.

    reason = find_requeue_reason(job)
    if reason is not None:
        # A person waits: what may pass in an hour is a failure now.
        failure = ProcessingError(reason, details={"job_id": job.job_id})
        tm.session.generation.fail(job, failure)
        return failure
    if job.status is not JobStatus.FAILED:
        return None
    code = job.error_code or ""
    known = _errors_by_code()
    kind = known.get(code, known["generation"])
    return kind(job.error or "it failed", code=code, details={"job_id": job.job_id})


@cache
def _errors_by_code() -> Mapping[str, Callable[..., TioMagicError]]:
    """Return the classes of errors by the codes that a failed job may have."""
    from tiomagic_domain import errors  # noqa: PLC0415  # Not for --help.
    from tiomagic_domain.codes import ErrorCode  # noqa: PLC0415  # The same.

    kinds: dict[str, Callable[..., TioMagicError]] = {
        kind.code: kind
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.TioMagicError)
    }
    settings = (ErrorCode.DEVICE_MISSING, ErrorCode.BROKEN_PLUGIN)
    inputs = (ErrorCode.NOBODY_FOUND, ErrorCode.NOT_A_VIDEO, ErrorCode.NOT_AN_IMAGE)
    return {
        **kinds,
        **dict.fromkeys(settings, errors.ConfigurationError),
        **dict.fromkeys(inputs, errors.ValidationError),
    }
