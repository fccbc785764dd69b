"""Errors as ``{"error": …}``, with a status that says whose fault it is.

OpenAI's clients read ``message``, ``type``, ``param`` and ``code``, and raise a class for each
status; ``problems`` has everything that is wrong with a request. OpenRouter's read a number as the
``code``, so theirs is the status, and ours is beside it.
"""

from __future__ import annotations

import http
import json
from collections.abc import Mapping
from typing import Any, Final

from starlette.requests import Request
from starlette.responses import JSONResponse

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    ResourceNotFoundError,
    StaleJobError,
    TioMagicError,
    UnknownModelError,
    ValidationError,
)

OPENROUTER_PREFIX: Final = "/api/"
"""Beginning of the paths that answer in OpenRouter's form."""
TYPES: Final[Mapping[int, str]] = {
    401: "authentication_error",
    402: "insufficient_quota",
    403: "permission_error",
    404: "not_found_error",
    409: "conflict_error",
    429: "rate_limit_error",
}
"""OpenAI's words for some statuses; else by who has to mend it."""
STATUS_OF_CODE: Final[Mapping[str, int]] = {
    ErrorCode.KEY_REUSED: 422,
    ErrorCode.JOB_NOT_OVER: 409,
    ErrorCode.TERMS_NOT_ACCEPTED: 403,
    ErrorCode.DOES_NOT_FIT: 400,
    ErrorCode.OVER_BUDGET: 402,
    ErrorCode.DATABASE_BUSY: 503,
    ErrorCode.DATABASE_UNAVAILABLE: 503,
    ErrorCode.DISK_FULL: 507,
    ErrorCode.TOO_LARGE: 413,
    ErrorCode.UNAVAILABLE: 503,
}
"""Codes that say more than their class."""
STATUS_OF_CLASS: Final[tuple[tuple[type[TioMagicError], int], ...]] = (
    (ValidationError, 400),
    (UnknownModelError, 400),
    (ResourceNotFoundError, 404),
    (StaleJobError, 409),
    (RateLimitError, 429),
    (APIError, 502),
    (AuthenticationError, 502),
    (ConfigurationError, 503),
)
"""Statuses of classes; the first that fits counts. The server's own token is not the client's."""


ABOUT_THE_MACHINE: Final = frozenset({500, 503, 507})
"""Statuses whose messages name folders and hosts of the server: they are for its log."""
INSIDE: Final = "the server cannot do this now ({}); its log says why"
SPENT: Final = "the video may cost more than the server may spend now; its owner can say more"
"""Stands for the budgets of all jobs, whose amounts are not the client's affair."""


class PlainAnswer(JSONResponse):
    """JSON in ASCII: a client may send halves of characters, for which UTF-8 has no form."""

    def render(self, content: Any) -> bytes:
        """Return the body."""
        return json.dumps(content, allow_nan=False, separators=(",", ":")).encode("ascii")


def status_of(error: TioMagicError) -> int:
    """Return the status of an answer that is an error of ours."""
    if error.code in STATUS_OF_CODE:
        return STATUS_OF_CODE[error.code]
    return next((status for kind, status in STATUS_OF_CLASS if isinstance(error, kind)), 500)


def answer_error(request: Request, error: TioMagicError) -> PlainAnswer:
    """Return the answer to a request that cannot be met."""
    problems = [problem.to_dict() for problem in getattr(error, "problems", ())]
    named = getattr(error, "field", None)
    if named is None and isinstance(error, UnknownModelError):
        named = "model"
    message = error.message
    if error.code == ErrorCode.OVER_BUDGET and _is_budget_of_all(error):
        message = SPENT
    pause, status = error.details.get("retry_after"), status_of(error)
    return build_error(
        request,
        status,
        INSIDE.format(error.code) if status in ABOUT_THE_MACHINE else message,
        code=error.code,
        param=named,
        problems=problems,
        headers={} if pause is None else {"retry-after": str(pause)},
    )


def _is_budget_of_all(error: TioMagicError) -> bool:
    return "budget" in str(error.details.get("setting")) and not error.details.get("payer")


def build_error(
    request: Request,
    status: int,
    message: str,
    *,
    code: str,
    param: str | None = None,
    problems: list[dict[str, object]] | None = None,
    headers: Mapping[str, str] | None = None,
) -> PlainAnswer:
    """Return an error as its client reads it.

    Args:
        request: Whose path says which client.
        status: Of the answer.
        message: For people.
        code: For programs.
        param: The first field that is meant.
        problems: All of them.
        headers: Further headers.
    """
    kind = TYPES.get(status) or ("invalid_request_error" if status < 500 else "server_error")
    found: dict[str, Any] = {"message": message, "type": kind, "param": param, "code": code}
    if problems:
        found["problems"] = _plain(problems)
    if request.url.path.startswith(OPENROUTER_PREFIX):
        metadata = {k: v for k, v in found.items() if k != "message" and v is not None}
        found = {"code": status, "message": message, "metadata": metadata}
    return PlainAnswer({"error": found}, status, headers=dict(headers or {}))


def _plain(problems: list[dict[str, object]]) -> list[dict[str, object]]:
    # The nearest legal value may be any object of a schema.
    return [json.loads(json.dumps(problem, default=str)) for problem in problems]


def say_status(status: int) -> str:
    """Return a status in words, as a code."""
    if status == 413:
        return "too_large"  # Versions of Python have different words for it.
    try:
        return http.HTTPStatus(status).phrase.lower().replace(" ", "_").replace("'", "")
    except ValueError:
        return "error"
