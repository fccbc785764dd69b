"""The wire format between caller and container: requests and results as plain data, one exception.

A request is ``{protocol, client, job, media, gpu}``, a result ``{protocol, worker, job_id, video,
sha256, recipe, facts}``. Every error in the container reaches the caller as `WorkerError`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from tiomagic_domain import __version__
from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ValidationError
from tiomagic_domain.ports.provider import Request
from tiomagic_domain.requests.wire import (
    PlainData,
    decode_job,
    decode_media,
    describe_error,
    encode_job,
)
from tiomagic_modal.constants import PROTOCOL_VERSION, PROVIDER_NAME


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
    return WorkerError(json.dumps(describe_error(error), default=str))


def encode_request(request: Request) -> PlainData:
    """Return a request as plain data, with the bytes of its media."""
    job = request.job
    return {
        "protocol": PROTOCOL_VERSION,
        "client": __version__,
        "job": encode_job(job),
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
    job = decode_job(payload["job"])
    media = {
        name: decode_media(item["reference"], keep(name, item["data"]))
        for name, item in payload["media"].items()
    }
    return Request(job=job, card=find_model(job.model, job.feature), media=media)


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
