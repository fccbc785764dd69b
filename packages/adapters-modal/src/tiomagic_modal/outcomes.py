"""Turns the exception of a finished call into a report: failed, canceled, timeout, memory."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from tiomagic_domain.advice import NextStep
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    GenerationError,
    JobTimeoutError,
    ResourceNotFoundError,
    TioMagicError,
)
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.requests.wire import is_out_of_memory
from tiomagic_modal.constants import HUGGING_FACE_SECRET, PROVIDER_NAME
from tiomagic_modal.errors import translate_error
from tiomagic_modal.gpus import find_larger_gpu
from tiomagic_modal.wire import WorkerError

CANCELED_REPORT = Report(status=JobStatus.CANCELED, message="canceled")

STOPPED_AS_LOST = "withdrawn"
"""Value of the cancel key for a job that was withdrawn because it was lost."""


def report_failure(message: str, code: str) -> Report:
    """Return the report of a job that failed."""
    return Report(status=JobStatus.FAILED, error=message, error_code=code, message=message)


def report_lost(after: timedelta) -> Report:
    """Return the report of a job that no container took.

    Args:
        after: How long it was searched for.
    """
    minutes = after.total_seconds() / 60
    return report_failure(
        f"Modal did not answer the submission, and no container took the job up within "
        f"{minutes:g} minutes; it has been withdrawn and will not run. Submit it again",
        ErrorCode.LOST,
    )


def report_outcome(error: Exception, job: Job, *, asked_to_stop: bool) -> Report:
    """Return the report that follows from an exception.

    Args:
        error: Raised by the request for the result; not the builtin TimeoutError.
        job: The job.
        asked_to_stop: True when the job was canceled: Modal reports that only in a text.

    Raises:
        TioMagicError: when the exception is about the request, not about the job.
    """
    if isinstance(error, WorkerError):
        return _report_worker_error(error, job)
    ours = (
        error if isinstance(error, TioMagicError) else translate_error(error, "ask for the result")
    )
    if ours is None:
        # The worker is not ours, or older than WorkerError.
        return report_failure(
            f"the worker raised {type(error).__name__}: {error}", ErrorCode.UNEXPECTED
        )
    if asked_to_stop and (ours.code == ErrorCode.REMOTE or isinstance(ours, ResourceNotFoundError)):
        return CANCELED_REPORT
    report = _report_error(ours, job)
    if report is None:
        raise ours from error
    return report


def _report_error(error: TioMagicError, job: Job) -> Report | None:
    """Return the job's final report for an error; None when only the request failed."""
    if isinstance(error, JobTimeoutError):
        limit = job.facts.get("timeout_s")
        allowed = f" of {limit} s" if limit else ""
        way_out = f"to allow more, {NextStep.CHANGE_SETTING.say(name='timeout')}"
        return report_failure(
            f"the generation ran into its timeout{allowed}; {way_out}", error.code
        )
    if isinstance(error, GenerationError):
        if is_out_of_memory(error.message):
            return report_failure(_advise_larger_gpu(error.message, job), ErrorCode.OUT_OF_MEMORY)
        return report_failure(error.message, error.code)
    if error.code == ErrorCode.EXPIRED:
        gone = "the copy on the outputs Volume is gone, too: make the video again"
        return report_failure(f"{error.message}; {gone}", error.code)
    return None


def _report_worker_error(error: WorkerError, job: Job) -> Report:
    content = error.content
    message, code = str(content["message"]), str(content.get("code", ErrorCode.WORKER))
    if code == ErrorCode.DUPLICATE:
        details = content.get("details")
        call_id = details.get("call_id") if isinstance(details, Mapping) else None
        return Report(
            status=JobStatus.RUNNING,
            call_id=None if call_id is None else str(call_id),
            message="another call runs the job",
        )
    if content.get("kind") == "GenerationCanceledError":
        return CANCELED_REPORT
    if code == ErrorCode.OUT_OF_MEMORY or is_out_of_memory(message):
        return report_failure(_advise_larger_gpu(message, job), ErrorCode.OUT_OF_MEMORY)
    if "gated" in message.casefold() or code == ErrorCode.GATED_MODEL:
        message = (
            f"{message}. On Modal the token comes from a secret: modal secret create --force "
            f"{HUGGING_FACE_SECRET} HF_TOKEN=<your token>; then "
            f"{NextStep.DEPLOY.say(provider=PROVIDER_NAME)}"
        )
    return report_failure(message, code)


def _advise_larger_gpu(message: str, job: Job) -> str:
    if "gpu" not in job.facts:
        # The answer to the submission was lost, and with it the requested GPU.
        way_out = f"a larger GPU may do: {NextStep.CHANGE_SETTING.say(name='gpu')}"
    elif better := find_larger_gpu(str(job.facts["gpu"] or "")):
        step = NextStep.CHANGE_SETTING_TO.say(name="gpu", value=better)
        way_out = f"a larger GPU would do: {step}"
    else:
        way_out = "no larger GPU is known: ask for fewer frames or a smaller size"
    return f"the memory was not enough; {way_out} ({message})"
