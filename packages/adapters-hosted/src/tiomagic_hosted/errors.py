"""What a vendor's refusals and silences mean for a job.

A refusal (a status 4xx) started nothing. A silence (a timeout, a broken connection, a status 5xx)
after a request was sent may have started a run, and is never answered with a second request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    ResourceNotFoundError,
    TioMagicError,
    ValidationError,
)

_NO_CREDIT: Final = re.compile(
    r"\b(insufficient|exhausted|enough|no|out of)\s+(\w+\s+){0,2}(credits?|balance|funds)\b"
    r"|\b(credits?|balance|funds)\s+(\w+\s+){0,2}(exhausted|insufficient|too low)\b",
    re.IGNORECASE,
)
"""Words of a refusal for want of credit. Only OpenRouter has a status of its own for it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """An answer of a vendor that is no success."""

    status: int
    """The status of HTTP."""
    text: str
    """The vendor's own words."""
    code: str | None = None
    """The vendor's own code of the error."""
    retry_after_s: float | None = None
    is_moderation: bool = False
    """True when the vendor's checks of content refuse the call, whatever its status."""


def translate_refusal(answer: Answer, *, title: str, doing: str, key: str) -> TioMagicError:
    """Return the error for an answer of 400 or above, with the vendor's words and its code.

    Args:
        answer: What the vendor said.
        title: The vendor's name.
        doing: What was tried, such as ``start the run``.
        key: The environment variable that has the key.
    """
    said = f"{title} could not {doing}: {answer.text} (HTTP {answer.status})"
    details = {"status": answer.status, "vendor_code": answer.code}
    is_unpaid = answer.status == 402 or _NO_CREDIT.search(answer.text) is not None
    if is_unpaid and answer.status in {400, 402, 403} and not answer.is_moderation:
        # Another provider may run it, and the key is right.
        return ConfigurationError(f"{said}. Your account at {title} needs credit", details=details)
    match answer.status:
        case 401 | 403 if not answer.is_moderation:
            return AuthenticationError(f"{said}. Check the key in {key}", details=details)
        case 404:
            return ResourceNotFoundError(said, details=details)
        case 429:
            return RateLimitError(said, details={**details, "retry_after": answer.retry_after_s})
        case status if status < 500 and status != 408:
            return ValidationError(said, details=details)
    return APIError(said, details=details, retryable=True)


def lose_answer(title: str, job_id: str, reason: str) -> APIError:
    """Return the error for a request for a run whose answer did not come."""
    return APIError(
        f"{title} did not answer the submission ({reason}); job {job_id} may or may not have "
        "started, and is looked up, never sent again",
        details={"job_id": job_id},
        code=ErrorCode.ANSWER_LOST,
        retryable=True,
    )
