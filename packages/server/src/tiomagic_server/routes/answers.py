"""What the descriptions of all routes share: errors that any of them may answer with."""

from __future__ import annotations

from typing import Any, Final

from tiomagic_server.answering.openai import ErrorAnswer
from tiomagic_server.answering.openrouter import OpenRouterErrorAnswer

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

ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": ErrorAnswer, "description": meaning} for status, meaning in _MEANINGS.items()
}
"""The errors, by status, as FastAPI takes them."""
OPENROUTER_ERRORS: Final[dict[int | str, dict[str, Any]]] = {
    status: {"model": OpenRouterErrorAnswer, "description": meaning}
    for status, meaning in _MEANINGS.items()
}
"""The same in OpenRouter's form."""


def body_schema(properties: dict[str, Any], required: list[str]) -> dict[str, Any]:
    """Return the description of a body that is a form or JSON.

    Args:
        properties: JSON Schemas by name of the field; further fields are a model's parameters.
        required: Names of the fields that must be there.
    """
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": True,
    }
    return {
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": schema},
                "application/json": {"schema": schema},
            },
        }
    }
