"""Requests, results and errors as plain data, for adapters that run a job on another machine.

Plain means dict, list, str, bytes, int, float, bool and None, so that Python and every library may
differ between the two sides. Each adapter adds the version of its own messages.
"""

from __future__ import annotations

import errno
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Media, MediaKind

PlainData = dict[str, Any]
FULL_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""Errors of the system for a disk without room, or without room for this user."""


def encode_job(job: Job) -> PlainData:
    """Return what a run needs of a job, as plain data."""
    return {
        "job_id": job.job_id,
        "feature": job.feature.value,
        "model": job.model,
        "provider": job.provider,
        "creation_time": job.creation_time.isoformat(),
        "required_args": dict(job.required_args),
        "optional_args": dict(job.optional_args),
        "chosen": None if job.chosen is None else job.chosen.to_dict(),
    }


def decode_job(sent: Mapping[str, Any]) -> Job:
    """Return the job that the other side sent.

    Args:
        sent: What `encode_job` gave.
    """
    created = datetime.fromisoformat(sent["creation_time"])
    chosen = sent.get("chosen")  # An older caller sends none.
    return Job(
        job_id=sent["job_id"],
        feature=Feature(sent["feature"]),
        model=sent["model"],
        provider=sent["provider"],
        creation_time=created,
        last_updated=created,
        required_args=sent["required_args"],
        optional_args=sent["optional_args"],
        chosen=None if chosen is None else Choices.from_dict(chosen),
    )


def decode_media(reference: Mapping[str, Any], path: Path) -> Media:
    """Return an input whose bytes were written to a path.

    Args:
        reference: What ``Media.to_reference`` gave on the other side.
        path: Where its bytes are on this one.
    """
    return Media(
        kind=MediaKind(reference["kind"]),
        sha256=reference["sha256"],
        path=path,
        media_type=reference["media_type"],
        width=reference["width"],
        height=reference["height"],
        frames=reference["frames"],
        fps=reference["fps"],
        name=reference["name"],
    )


def describe_error(error: Exception) -> PlainData:
    """Return ``kind`` (class name), ``code``, ``message`` and ``details`` of any exception."""
    if isinstance(error, TioMagicError):
        return {
            "kind": type(error).__name__,
            "code": str(error.code),
            "message": error.message,
            "details": dict(error.details),
        }
    kind, code = type(error).__name__, str(ErrorCode.UNEXPECTED)
    message = f"{kind}: {error}"
    if is_out_of_memory(message):
        code = str(ErrorCode.OUT_OF_MEMORY)
    elif isinstance(error, OSError) and error.errno in FULL_DISK:
        code = str(ErrorCode.DISK_FULL)
    return {"kind": kind, "code": code, "message": message, "details": {}}


def is_out_of_memory(text: str) -> bool:
    """Say whether an error's text means that memory ran out, on the GPU or in main memory."""
    folded = text.casefold()
    return any(
        sign in folded
        for sign in ("out of memory", "outofmemory", "oom", "memory usage", "memory limit")
    )


def to_plain(value: object) -> Any:
    """Return a value as plain data; what is not plain becomes its text."""
    if isinstance(value, Mapping):
        return {str(key): to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if value is None or type(value) in {str, int, float, bool, bytes}:
        return value
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return str(value)
