"""What the descriptions of all routes share: errors, headers, bodies, and the key of a client."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Annotated, Any, Final

from fastapi import Path, Security
from fastapi.security import HTTPBearer

from tiomagic_server.answering.openai import ErrorAnswer
from tiomagic_server.answering.openrouter import OpenRouterErrorAnswer
from tiomagic_server.jobs.desk import MAX_KEY_LENGTH

_MEANINGS: Final = {
    400: "A value is not legal; `problems` has all of them",
    401: "No key, or an unknown one",
    402: "It may cost more than a budget allows",
    403: "A host name that is not the server's, another website, or terms that were not accepted",
    404: "No such video, or it is another key's",
    405: "The path has no such method",
    408: "The body came too slowly",
    409: "Not in this status of the video",
    413: "The body, a file or a picture is too large",
    415: "The body is neither a form nor JSON",
    422: "The idempotency key was sent with another call before",
    429: "Too many requests; `Retry-After` says when to come again",
    500: "A fault of the server",
    502: "The provider could not be asked",
    503: "The job store or a part of the server cannot answer now",
    504: "The video was not made in the time that a request may take; it goes on",
    507: "The disk of the server is full",
}


def describe_header(description: str, kind: str = "string") -> dict[str, Any]:
    """Return the description of a header of an answer."""
    return {"description": description, "schema": {"type": kind}}


POLL_HEADER: Final = {
    "openai-poll-after-ms": describe_header(
        "Milliseconds until the next look is worth it; not of a video that is over", "integer"
    )
}
"""Of an answer with a video."""
_MORE: Final[Mapping[int, dict[str, Any]]] = {
    429: {"headers": {"Retry-After": describe_header("Seconds until then", "integer")}}
}

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer, "description": meaning, **_MORE.get(status, {})}
    for status, meaning in _MEANINGS.items()
}
"""The errors, by status, as FastAPI takes them."""
OPENROUTER_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": OpenRouterErrorAnswer, "description": meaning, **_MORE.get(status, {})}
    for status, meaning in _MEANINGS.items()
}
"""The same in OpenRouter's form."""


KEY: Final = Security(
    HTTPBearer(
        scheme_name="key",
        description="A key of this server. A server on loopback without keys needs none.",
        auto_error=False,
    )
)
"""What a client shows; the gate reads it before any route, and this describes it."""
VideoId = Annotated[str, Path(description="The id of a video")]
_IDEMPOTENCY_KEY: Final = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": "The same request with the same key gives the same video, however often it is "
    "sent; another one with it is refused with 422",
    "schema": {"type": "string", "minLength": 1, "maxLength": MAX_KEY_LENGTH},
}


def body_schema(
    properties: dict[str, Any],
    required: list[str],
    example: Mapping[str, Any],
    files: Collection[str] = (),
) -> dict[str, Any]:
    """Return the description of a request that makes a video: a form or JSON, and its key.

    Args:
        properties: JSON Schemas by name of the field; further fields are a model's parameters.
        required: Names of the fields that must be there.
        example: A body that works.
        files: Names of fields that may be files of a form.
    """
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }
    file = {"anyOf": [{"type": "string", "format": "binary"}, {"type": "string"}]}
    forms = {k: {**v, **(file if k in files else {})} for k, v in properties.items()}
    return {
        "parameters": [_IDEMPOTENCY_KEY],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {
                    "schema": {**schema, "properties": forms},
                    "example": example,
                },
                "application/json": {"schema": schema, "example": example},
            },
        },
    }
