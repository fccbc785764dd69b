"""The wire format between caller and container: requests and results as plain data, one exception.

Plain means dict, list, str, bytes, int, float, bool and None, so that Python and every library may
differ between the two sides.

A request is ``{protocol, client, job, media, gpu}``, a result ``{protocol, worker, job_id, video,
sha256, recipe, facts}``. Every error in the container reaches the caller as `WorkerError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from tiomagic_domain import __version__
from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import TioMagicError, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.choices import Choices
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.media import Media, MediaKind
from tiomagic_domain.ports.provider import Request
from tiomagic_modal.constants import PROTOCOL_VERSION, PROVIDER_NAME

PlainData = dict[str, Any]


class WorkerError(Exception):
    """The only exception that leaves a container. Its one argument is JSON.

    One string can be unpickled with any versions on the two sides, and an own class is never
    mistaken for Modal's: a plain ``TimeoutError`` would mean "still running".
    """

    @property
    def content(self) -> PlainData:
        """``kind`` (class name), ``code``, ``message`` and ``details``."""
        try:
            content = json.loads(str(self.args[0]))
        except (IndexError, ValueError):
            content = None
        if not isinstance(content, dict) or "message" not in content:
            return {
                "kind": "WorkerError",
                "code": ErrorCode.WORKER,
                "message": "the worker's error could not be read",
                "details": {},
            }
        return content


def pack_error(error: Exception) -> WorkerError:
    """Pack any exception for the caller."""
    if isinstance(error, TioMagicError):
        kind, code, message = type(error).__name__, error.code, error.message
        details: Mapping[str, object] = error.details
    else:
        kind, code, details = type(error).__name__, str(ErrorCode.UNEXPECTED), {}
        message = f"{kind}: {error}"
        if is_out_of_memory(message):
            code = ErrorCode.OUT_OF_MEMORY
    content = {"kind": kind, "code": code, "message": message, "details": details}
    return WorkerError(json.dumps(content, default=str))


def is_out_of_memory(text: str) -> bool:
    """Say whether an error's text means that memory ran out, on the GPU or in main memory."""
    folded = text.casefold()
    return any(
        sign in folded
        for sign in ("out of memory", "outofmemory", "oom", "memory usage", "memory limit")
    )


def encode_request(request: Request) -> PlainData:
    """Return a request as plain data, with the bytes of its media."""
    job = request.job
    return {
        "protocol": PROTOCOL_VERSION,
        "client": __version__,
        "job": {
            "job_id": job.job_id,
            "feature": job.feature.value,
            "model": job.model,
            "provider": job.provider,
            "creation_time": job.creation_time.isoformat(),
            "required_args": dict(job.required_args),
            "optional_args": dict(job.optional_args),
            "chosen": None if job.chosen is None else job.chosen.to_dict(),
        },
        "media": {
            name: {"reference": item.to_reference(), "data": item.read_bytes()}
            for name, item in request.media.items()
        },
    }


def decode_request(payload: Mapping[str, Any], keep: Callable[[str, bytes], Path]) -> Request:
    """Return the request that the other side sent.

    Args:
        payload: What `encode_request` gave.
        keep: Takes the name and the bytes of one input, writes them, and returns the path.

    Raises:
        ValidationError: when the payload speaks another version of the format.
        UnknownModelError: when this side does not know the model.
    """
    check_protocol(payload)
    sent = payload["job"]
    feature = Feature(sent["feature"])
    created = datetime.fromisoformat(sent["creation_time"])
    chosen = sent.get("chosen")  # An older caller sends none.
    job = Job(
        job_id=sent["job_id"],
        feature=feature,
        model=sent["model"],
        provider=sent["provider"],
        creation_time=created,
        last_updated=created,
        required_args=sent["required_args"],
        optional_args=sent["optional_args"],
        chosen=None if chosen is None else Choices.from_dict(chosen),
    )
    media = {
        name: _decode_media(item["reference"], keep(name, item["data"]))
        for name, item in payload["media"].items()
    }
    return Request(job=job, card=find_model(sent["model"], feature), media=media)


def check_protocol(payload: Mapping[str, Any]) -> None:
    """Refuse a message in another version of the format.

    Raises:
        ValidationError: with both versions.
    """
    theirs = payload.get("protocol")
    if theirs != PROTOCOL_VERSION:
        raise ValidationError(
            f"the other side speaks version {theirs!r} of the wire format, this one "
            f"{PROTOCOL_VERSION}; "
            f"update tiomagic, then {NextStep.DEPLOY.say(provider=PROVIDER_NAME)}",
            details={"theirs": theirs, "ours": PROTOCOL_VERSION},
            code=ErrorCode.PROTOCOL,
        )


def _decode_media(reference: Mapping[str, Any], path: Path) -> Media:
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
