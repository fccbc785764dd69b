"""Validates the answers of a provider before they are applied.

A provider may be any plug-in. Its exceptions and results are checked, so that a malformed answer
fails only its own job, with the reason.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ProcessingError, TioMagicError
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import VideoFile
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.ports.provider import Report
from tiomagic_domain.progress import Progress

_HEAD: Final = 512
_UNREACHABLE_CLASS_WORDS: Final = ("Connect", "Network", "Timeout", "Transport")
"""Parts of the class names of libraries' exceptions for an unreachable service."""


def ask_provider(question: Callable[[Job], object], job: Job) -> Report:
    """Call a provider about a job.

    Args:
        question: Its method ``poll`` or ``cancel``.
        job: Which job.

    Raises:
        APIError: when the service could not be reached.
        ProcessingError: with the code ``malformed_answer``, when the answer cannot be understood.
        TioMagicError: an error of the provider itself.
    """
    try:
        return validate_report(question(job), job)
    # Errors of ours say themselves whether a later poll may succeed; those of a library have to be
    # sorted: a network that is down must not fail a job that runs.
    except TioMagicError:
        raise
    except Exception as error:
        if _is_about_asking(error):
            raise APIError(
                f"{job.provider} could not be asked: {_describe(error)}",
                code=ErrorCode.UNREACHABLE,
                retryable=True,
            ) from error
        raise ProcessingError(
            f"the answer of {job.provider} cannot be understood: {_describe(error)}",
            details={"job_id": job.job_id},
            code=ErrorCode.MALFORMED_ANSWER,
        ) from error


def report_of_failed_poll(job: Job, error: APIError) -> Report:
    """Return the report of a poll that the provider could not answer: the job stays as it is.

    Args:
        job: Which job.
        error: Its message becomes the job's, and its ``retry_after`` puts off the next poll.
            Anything but a number of seconds is ignored: an error's details are not checked.
    """
    asked = error.details.get("retry_after")
    pause = asked if isinstance(asked, int | float) and 0 < asked < math.inf else None
    return Report(status=job.status, message=error.message, retry_after=pause)


def validate_report(report: object, job: Job) -> Report:
    """Return a report if all of its fields are valid.

    Raises:
        ProcessingError: with the code ``malformed_answer``.
    """
    wrong = _wrong_fields(report) if isinstance(report, Report) else [type(report).__name__]
    if isinstance(report, Report) and not wrong:
        return report
    raise ProcessingError(
        f"the answer of {job.provider} cannot be understood: {', '.join(wrong)}",
        details={"job_id": job.job_id},
        code=ErrorCode.MALFORMED_ANSWER,
    )


def explain_non_video(path: Path) -> str | None:
    """Return why a file cannot be a video, from its first bytes; None when it may be one.

    Raises:
        OSError: when it cannot be read.
    """
    with path.open("rb") as file:
        head = file.read(_HEAD)
    if not head:
        return "it is empty"
    if head.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] in {b"<", b"{", b"["}:
        return f"it is text: {head[:60].decode('utf-8', 'replace').strip()!r}"
    return None


def _wrong_fields(report: Report) -> list[str]:
    texts = {"call_id": report.call_id, "error": report.error, "error_code": report.error_code}
    kinds: dict[str, tuple[object, type | tuple[type, ...]]] = {
        "status": (report.status, JobStatus),
        "message": (report.message, str),
        "progress": (report.progress, (Progress, type(None))),
        "video": (report.video, (VideoFile, type(None))),
        "facts": (report.facts, Mapping),
        "logs": (report.logs, (str, type(None))),
        "queue_position": (report.queue_position, (int, type(None))),
        "cost": (report.cost, (Cost, type(None))),
        "retry_after": (report.retry_after, (int, float, type(None))),
        **{name: (value, (str, type(None))) for name, value in texts.items()},
    }
    wrong = [
        f"{name} is {type(value).__name__}"
        for name, (value, kind) in kinds.items()
        if not isinstance(value, kind)
    ]
    # Only facts that are a mapping can be turned into JSON.
    if not wrong:
        wrong += _not_plain(report)
    if report.retry_after is not None and not math.isfinite(report.retry_after):
        wrong.append(f"retry_after is {report.retry_after}")
    if report.status is JobStatus.COMPLETED and report.video is None:
        wrong.append("it says that the job is done, and gave no video")
    return wrong


def _not_plain(report: Report) -> list[str]:
    try:
        # The job store keeps facts as JSON. Found here, it is the fault of one answer; found by the
        # store, every later save of the job would fail.
        json.dumps(dict(report.facts))
    except (TypeError, ValueError, RecursionError) as error:
        return [f"facts is not plain data ({error})"]
    return []


def _is_about_asking(error: Exception) -> bool:
    names = [kind.__name__ for kind in type(error).__mro__]
    # By name: the domain imports no HTTP library, and every one has classes of its own.
    return isinstance(error, OSError) or any(
        word in name for name in names for word in _UNREACHABLE_CLASS_WORDS
    )


def _describe(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"
