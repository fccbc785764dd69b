"""The errors of tiomagic, grouped by where the cause is: caller, environment, service, model.

::

    TioMagicError
    ├── ValidationError (ValueError)            the caller: the input is not legal
    ├── UnknownModelError (LookupError)         the caller: no such model, or not for this feature
    ├── UnknownProviderError (LookupError)      the caller: no such provider
    ├── ResourceNotFoundError (LookupError)     the caller: no such job, file or remote call
    ├── ConfigurationError                      the environment: a setting is missing or wrong
    │   └── ImplementationError                     … what should run a call cannot be made
    │       └── MissingDependencyError (ImportError)    … a package is not installed
    ├── AuthenticationError                     the environment: a token is missing or refused
    ├── APIError                                the remote service
    │   └── RateLimitError                      … asks to slow down
    ├── DeploymentError                         the remote side could not be set up
    ├── GenerationError                         the model could not make the video
    │   └── GenerationCanceledError             … because it was asked to stop
    ├── JobExecutionError                       a job ended without a video
    │   └── JobTimeoutError (TimeoutError)      … or did not end in the time it was given
    ├── ProcessingError                         a file could not be read or written
    ├── InvalidTransitionError                  a bug: the status transition is not legal
    ├── StaleJobError                           another process has changed the job since the read
    └── LeaseLostError                          another process has reclaimed the lease
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.redaction import redact, redact_data


class OldAttribute:
    """An attribute of the errors of tiomagic 1.0.0; None where unknown.

    Args:
        details: Names under which ``details`` may have it, the first found counts.
        otherwise: Another attribute of the error to use instead.
    """

    def __init__(self, *details: str, otherwise: str = "") -> None:
        self._details = details
        self._otherwise = otherwise

    def __get__(self, error: Any, _kind: type | None = None) -> Any:
        """Return the value of an error."""
        if error is None:
            return self
        for name in self._details:
            if name in error.details:
                return error.details[name]
        return getattr(error, self._otherwise) if self._otherwise else None


_REASON = OldAttribute("reason", otherwise="message")


class TioMagicError(Exception):
    """The base class of all errors that tiomagic raises on purpose.

    Secrets in its message or details are redacted when the error is created.

    Attributes:
        message: One sentence for the user, with the field and what would work.
        details: Plain data for a program; never a secret.
        code: A stable code, the same in all versions.
        retryable: True when the same call may succeed later without a change.
    """

    code: str = ErrorCode.ERROR

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        code: str | None = None,
        retryable: bool = False,
    ) -> None:
        message = redact(message)
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = redact_data(dict(details or {}))
        self.code = str(code or type(self).code)
        self.retryable = retryable

    def to_dict(self) -> dict[str, object]:
        """Return the error as plain data."""
        return {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "details": redact_data(self.details),
            "retryable": self.retryable,
        }


LONGEST_FIELD: Final = 300
"""Characters of a field's name that an error repeats; a client may send any."""


class ProblemKind(StrEnum):
    """What is wrong with an argument, so that each surface can say it in its own words."""

    VALUE = "value"
    """The value is not legal."""
    MISSING = "missing"
    """A required argument was left out."""
    ONE_OF = "one_of"
    """Of several arguments exactly one is needed, and none or more were given."""
    UNKNOWN = "unknown"
    """There is no such argument."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One problem of one field of an input."""

    field: str
    """Name of the argument; the names of several, joined by a comma, for a rule between them."""
    message: str
    """The problem and a legal value, without the field's name."""
    given: str
    """``repr`` of the given value, shortened."""
    nearest: object = None
    """The nearest legal value, or None."""
    kind: ProblemKind = ProblemKind.VALUE
    wanted: str = ""
    """The kind of value that is missing, such as ``image`` or ``string``; else empty."""

    def __post_init__(self) -> None:
        """Redact secrets: the query of a given address may be a signature. Cut long names."""
        if len(self.field) > LONGEST_FIELD:
            object.__setattr__(self, "field", f"{self.field[:LONGEST_FIELD]}…")
        object.__setattr__(self, "message", redact(self.message))
        object.__setattr__(self, "given", redact(self.given))

    def to_dict(self) -> dict[str, object]:
        """Return the problem as plain data."""
        return {
            "field": self.field,
            "message": self.message,
            "given": self.given,
            "nearest": self.nearest,
        }

    def __str__(self) -> str:
        """Return one line with the argument's name."""
        between = " " if self.kind is ProblemKind.MISSING else ": "
        return f"{self.field}{between}{self.message}"


class ValidationError(TioMagicError, ValueError):
    """The arguments of a call are not legal. Nothing was stored and nothing was spent."""

    code: str = ErrorCode.INVALID_INPUT

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        subject: str = "",
        details: Mapping[str, object] | None = None,
        code: str | None = None,
    ) -> None:
        given = dict(details or {})
        if problems:
            given["problems"] = [problem.to_dict() for problem in problems]
        super().__init__(message, details=given, code=code)
        self.problems: tuple[Problem, ...] = tuple(problems)
        self.subject = subject
        """What was checked, such as ``text_to_video with wan2.1-t2v-14b``; empty if not said."""

    constraints: OldAttribute = OldAttribute("constraints")

    @property
    def field(self) -> str | None:
        """The first field with a problem; None without one."""
        return self.problems[0].field if self.problems else None

    @property
    def value(self) -> str | None:
        """``repr`` of the first field's value."""
        return self.problems[0].given if self.problems else None

    @classmethod
    def of(
        cls, problems: Sequence[Problem], *, subject: str, code: str | None = None
    ) -> ValidationError:
        """Build the error that lists every problem, one a line.

        Args:
            problems: At least one.
            subject: The checked call, such as ``text_to_video with wan2.1-t2v-14b``.
            code: The error's stable word; None for ``invalid_input``.
        """
        message = list_problems([str(problem) for problem in problems], subject)
        return cls(message, problems=problems, subject=subject, code=code)


def list_problems(lines: Sequence[str], subject: str) -> str:
    """Return the text about one problem or several, one a line.

    Args:
        lines: At least one.
        subject: What was checked.
    """
    if len(lines) == 1:
        return f"{lines[0]} ({subject})"
    listed = "\n  - ".join(lines)
    return f"{len(lines)} problems with {subject}:\n  - {listed}"


class UnknownModelError(TioMagicError, LookupError):
    """No model has this name, or it does not serve the feature."""

    code: str = ErrorCode.UNKNOWN_MODEL
    model: OldAttribute = OldAttribute("model")
    available_models: OldAttribute = OldAttribute("available_models", "known")


class UnknownProviderError(TioMagicError, LookupError):
    """No provider has this name."""

    code: str = ErrorCode.UNKNOWN_PROVIDER
    provider: OldAttribute = OldAttribute("provider")
    available_providers: OldAttribute = OldAttribute("available_providers", "known")


class ResourceNotFoundError(TioMagicError, LookupError):
    """A job, a file or a remote call is not there."""

    code: str = ErrorCode.NOT_FOUND
    resource_type: OldAttribute = OldAttribute("resource_type")
    resource_id: OldAttribute = OldAttribute("resource_id", "job_id", "path")
    location: OldAttribute = OldAttribute("location", "database")


class ConfigurationError(TioMagicError):
    """A setting is missing or cannot be used."""

    code: str = ErrorCode.CONFIGURATION
    config_type: OldAttribute = OldAttribute("config_type", otherwise="code")
    missing_field: OldAttribute = OldAttribute("missing_field", "variable", "package")


class ImplementationError(ConfigurationError):
    """The provider or engine of a call cannot be created, for example without its packages."""

    code: str = ErrorCode.IMPLEMENTATION
    provider: OldAttribute = OldAttribute("provider")
    feature: OldAttribute = OldAttribute("feature")
    reason: OldAttribute = _REASON


class MissingDependencyError(ImplementationError, ImportError):
    """A package is needed that is not installed. The message has the command that installs it."""

    code: str = ErrorCode.MISSING_DEPENDENCY


class AuthenticationError(TioMagicError):
    """A token is missing, or the service refused it."""

    code: str = ErrorCode.AUTHENTICATION
    provider: OldAttribute = OldAttribute("provider")


class APIError(TioMagicError):
    """A remote service could not be reached, or answered with an error of its own."""

    code: str = ErrorCode.API_ERROR
    status_code: OldAttribute = OldAttribute("status_code")
    response_body: OldAttribute = OldAttribute("response_body")
    url: OldAttribute = OldAttribute("url")


class RateLimitError(APIError):
    """A remote service limits the rate of requests: retry later."""

    code: str = ErrorCode.RATE_LIMITED
    provider: OldAttribute = OldAttribute("provider")
    retry_after: OldAttribute = OldAttribute("retry_after")
    limit_type: OldAttribute = OldAttribute("limit_type")

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, details=details, retryable=True)


class DeploymentError(TioMagicError):
    """The remote side could not be set up."""

    code: str = ErrorCode.DEPLOYMENT
    service: OldAttribute = OldAttribute("service")
    app_name: OldAttribute = OldAttribute("app_name")
    reason: OldAttribute = _REASON


class GenerationError(TioMagicError):
    """The model could not make the video."""

    code: str = ErrorCode.GENERATION
    app_name: OldAttribute = OldAttribute("app_name")
    model: OldAttribute = OldAttribute("model")
    feature: OldAttribute = OldAttribute("feature")
    generation_params: OldAttribute = OldAttribute("generation_params")
    gpu_info: OldAttribute = OldAttribute("gpu_info", "gpu")
    traceback: OldAttribute = OldAttribute("traceback")
    reason: OldAttribute = _REASON


class GenerationCanceledError(GenerationError):
    """The generation stopped because it was asked to."""

    code: str = ErrorCode.CANCELED


class JobExecutionError(TioMagicError):
    """A job ended without a video."""

    code: str = ErrorCode.JOB_FAILED
    job_id: OldAttribute = OldAttribute("job_id")
    provider_error: OldAttribute = OldAttribute("provider_error", "code")
    reason: OldAttribute = _REASON


class JobTimeoutError(JobExecutionError, TimeoutError):
    """A wait reached its timeout. The job may still run."""

    code: str = ErrorCode.TIMEOUT
    timeout_seconds: OldAttribute = OldAttribute("timeout_seconds", "timeout")


class ProcessingError(TioMagicError):
    """A file could not be read, decoded or written."""

    code: str = ErrorCode.PROCESSING
    media_type: OldAttribute = OldAttribute("media_type")
    operation: OldAttribute = OldAttribute("operation")
    file_path: OldAttribute = OldAttribute("file_path", "path")
    reason: OldAttribute = _REASON


class InvalidTransitionError(TioMagicError):
    """A job was given a status that it cannot reach from its current one."""

    code: str = ErrorCode.INVALID_TRANSITION


class StaleJobError(TioMagicError):
    """A job was saved from a stale copy: another process has saved it since. Read it again."""

    code: str = ErrorCode.STALE_JOB

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, details=details, retryable=True)


class LeaseLostError(TioMagicError):
    """The lease was reclaimed by another process. Stop using what it protected."""

    code: str = ErrorCode.LEASE_LOST
