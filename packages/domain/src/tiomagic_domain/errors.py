"""The errors of tiomagic, grouped by who can mend what went wrong.

::

    TioMagicError
    ├── ValidationError (ValueError)            the caller: the input is not legal
    ├── UnknownModelError (LookupError)         the caller: no such model, or not for this feature
    ├── UnknownProviderError (LookupError)      the caller: no such provider
    ├── ResourceNotFoundError (LookupError)     the caller: no such job, file or remote call
    ├── ConfigurationError                      the environment: a setting is missing or wrong
    │   └── MissingDependencyError (ImportError)    … a package is not installed
    ├── AuthenticationError                     the environment: a token is missing or refused
    ├── APIError                                the remote service
    │   └── RateLimitError                      … asks to slow down
    ├── DeploymentError                         the remote side could not be set up
    ├── GenerationError                         the model could not make the video
    │   └── GenerationCanceledError             … because it was asked to stop
    ├── JobExecutionError                       a job ended without a video
    │   └── JobTimeoutError (TimeoutError)      … or did not end in the time it was given
    ├── ProcessingError                         a file could not be read or written
    ├── InvalidTransitionError                  a bug: a job was moved where it cannot go
    ├── StaleJobError                           somebody else has changed the job since it was read
    └── LeaseLostError                          somebody else has taken what this process held
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tiomagic_domain.redaction import redacted, redacted_data


class TioMagicError(Exception):
    """The root of all errors that tiomagic raises on purpose.

    What looks like a secret in its message or details is hidden as the error is made.

    Attributes:
        message: One sentence for a person, naming the field and what would work.
        details: Plain data for a program; never a secret.
        code: A word that does not change between versions.
        retryable: True when the same call may succeed later without a change.
    """

    code: str = "error"

    def __init__(
        self,
        message: str,
        *,
        details: Mapping[str, object] | None = None,
        code: str | None = None,
        retryable: bool = False,
    ) -> None:
        message = redacted(message)
        super().__init__(message)
        self.message = message
        self.details: dict[str, object] = redacted_data(dict(details or {}))
        self.code = code or type(self).code
        self.retryable = retryable

    def to_dict(self) -> dict[str, object]:
        """Return the error as plain data."""
        return {
            "error": type(self).__name__,
            "code": self.code,
            "message": self.message,
            "details": redacted_data(self.details),
            "retryable": self.retryable,
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with one field of an input."""

    field: str
    """Name of the argument; the names of several, joined by a comma, for a rule between them."""
    message: str
    """What is wrong and what would be right, without the field's name."""
    given: str
    """``repr`` of what was given, shortened."""
    nearest: object = None
    """The nearest legal value; None when there is no such thing."""

    def __post_init__(self) -> None:
        """Hide what looks like a secret: the query of an address that was given may sign it."""
        object.__setattr__(self, "message", redacted(self.message))
        object.__setattr__(self, "given", redacted(self.given))

    def to_dict(self) -> dict[str, object]:
        """Return the problem as plain data."""
        return {
            "field": self.field,
            "message": self.message,
            "given": self.given,
            "nearest": self.nearest,
        }


class ValidationError(TioMagicError, ValueError):
    """The arguments of a call are not legal. Nothing was stored and nothing was spent."""

    code: str = "invalid_input"

    def __init__(
        self,
        message: str,
        *,
        problems: Sequence[Problem] = (),
        details: Mapping[str, object] | None = None,
        code: str | None = None,
    ) -> None:
        given = dict(details or {})
        if problems:
            given["problems"] = [problem.to_dict() for problem in problems]
        super().__init__(message, details=given, code=code)
        self.problems: tuple[Problem, ...] = tuple(problems)

    @classmethod
    def of(
        cls, problems: Sequence[Problem], *, subject: str, code: str | None = None
    ) -> ValidationError:
        """Build the error that lists every problem, one a line.

        Args:
            problems: At least one.
            subject: What was checked, such as ``text_to_video with wan2.1-t2v-14b``.
            code: The error's stable word; None for ``invalid_input``.
        """
        lines = [f"{problem.field}: {problem.message}" for problem in problems]
        if len(lines) == 1:
            return cls(f"{lines[0]} ({subject})", problems=problems, code=code)
        listed = "\n  - ".join(lines)
        message = f"{len(lines)} problems with {subject}:\n  - {listed}"
        return cls(message, problems=problems, code=code)


class UnknownModelError(TioMagicError, LookupError):
    """No model has this name, or it does not serve the feature."""

    code: str = "unknown_model"


class UnknownProviderError(TioMagicError, LookupError):
    """No provider has this name."""

    code: str = "unknown_provider"


class ResourceNotFoundError(TioMagicError, LookupError):
    """A job, a file or a remote call is not there."""

    code: str = "not_found"


class ConfigurationError(TioMagicError):
    """A setting is missing or cannot be used."""

    code: str = "configuration"


class MissingDependencyError(ConfigurationError, ImportError):
    """A package is needed that is not installed. The message has the command that installs it."""

    code: str = "missing_dependency"


class AuthenticationError(TioMagicError):
    """A token is missing, or the service refused it."""

    code: str = "authentication"


class APIError(TioMagicError):
    """A remote service could not be reached, or answered with an error of its own."""

    code: str = "api_error"


class RateLimitError(APIError):
    """A remote service asks to come back later."""

    code: str = "rate_limited"

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, details=details, retryable=True)


class DeploymentError(TioMagicError):
    """The remote side could not be set up."""

    code: str = "deployment"


class GenerationError(TioMagicError):
    """The model could not make the video."""

    code: str = "generation"


class GenerationCanceledError(GenerationError):
    """The generation stopped because it was asked to."""

    code: str = "canceled"


class JobExecutionError(TioMagicError):
    """A job ended without a video."""

    code: str = "job_failed"


class JobTimeoutError(JobExecutionError, TimeoutError):
    """A job did not end within the time that the caller was ready to wait. It may still run."""

    code: str = "timeout"


class ProcessingError(TioMagicError):
    """A file could not be read, decoded or written."""

    code: str = "processing"


class InvalidTransitionError(TioMagicError):
    """A job was asked to move to a status that it cannot reach from where it is."""

    code: str = "invalid_transition"


class StaleJobError(TioMagicError):
    """A job was saved from a copy that somebody else has overtaken: read it again and decide."""

    code: str = "stale_job"

    def __init__(self, message: str, *, details: Mapping[str, object] | None = None) -> None:
        super().__init__(message, details=details, retryable=True)


class LeaseLostError(TioMagicError):
    """What this process held is not its own any more: others thought it dead. Stop using it."""

    code: str = "lease_lost"
