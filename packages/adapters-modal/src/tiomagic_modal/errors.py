"""From Modal's exceptions to tiomagic's. The most specific class in the table wins.

===============================  ==================================================================
Modal's                          ours
===============================  ==================================================================
AuthError                        AuthenticationError: no token, or a token that is refused
PermissionDeniedError            AuthenticationError: the token may not do this
NotFoundError                    ResourceNotFoundError: app, class, call, Dict or Volume
OutputExpiredError               ResourceNotFoundError ``expired``
FunctionTimeoutError             JobTimeoutError: the run took longer than ``timeout``
RemoteError                      GenerationError: the container ended without a result
ImageBuildError                  DeploymentError
ExecutionError and serializing   GenerationError: the result cannot be read here
InternalFailure                  GenerationError ``lost_input``
ResourceExhaustedError           RateLimitError
ConnectionError, ServiceError,   APIError, retryable: ask again later
InternalError, DataLossError
VersionError                     ConfigurationError: update Modal's client
InvalidError, RequestSizeError   ConfigurationError: Modal refused what it was asked
everything else of Modal's       APIError
===============================  ==================================================================

``get(timeout=0)`` says "still running" with the builtin TimeoutError, which is none of these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    DeploymentError,
    GenerationError,
    JobTimeoutError,
    RateLimitError,
    ResourceNotFoundError,
    TioMagicError,
)

HOW_TO_SIGN_IN = (
    "Make an account at modal.com and run: modal token new; or set MODAL_TOKEN_ID and "
    "MODAL_TOKEN_SECRET"
)

Maker = Callable[[str, str], TioMagicError]


def _api(what: str, text: str) -> TioMagicError:
    return APIError(f"could not {what}: Modal said {text!r}")


def _retryable(what: str, text: str) -> TioMagicError:
    return APIError(
        f"could not {what} for now: Modal said {text!r}", code="unavailable", retryable=True
    )


def _generation(code: str, reason: str) -> Maker:
    return lambda _, text: GenerationError(f"{reason}: {text}", code=code)


def _auth(what: str, text: str) -> TioMagicError:
    if "missing" in text.casefold() or "not found" in text.casefold():
        return AuthenticationError(
            f"could not {what}: there is no Modal token. {HOW_TO_SIGN_IN}", code="no_token"
        )
    return AuthenticationError(
        f"could not {what}: Modal refuses the token ({text}). {HOW_TO_SIGN_IN}", code="bad_token"
    )


def _denied(what: str, text: str) -> TioMagicError:
    return AuthenticationError(
        f"could not {what}: this token may not do that ({text})", code="permission_denied"
    )


def _exhausted(what: str, text: str) -> TioMagicError:
    return RateLimitError(f"could not {what}: a limit of the Modal workspace is reached ({text})")


def _missing(what: str, text: str) -> TioMagicError:
    return ResourceNotFoundError(
        f"could not {what}: {text}. Is this the workspace and environment that it was made in?"
    )


def _expired(what: str, text: str) -> TioMagicError:
    return ResourceNotFoundError(
        f"could not {what}: Modal keeps a result for seven days ({text})", code="expired"
    )


def _timeout(_: str, text: str) -> TioMagicError:
    return JobTimeoutError(
        "the generation took longer than it was allowed; allow more with "
        f"tm.configure(timeout=<seconds>) ({text})",
        code="function_timeout",
    )


def _refused(what: str, text: str) -> TioMagicError:
    return ConfigurationError(f"could not {what}: Modal refuses it ({text})", code="refused")


def _old_client(what: str, text: str) -> TioMagicError:
    return ConfigurationError(
        f"could not {what}: Modal no longer serves this version of its client ({text}); "
        "run: pip install --upgrade modal",
        code="modal_too_old",
    )


def _build(_: str, text: str) -> TioMagicError:
    return DeploymentError(f"Modal could not build the image: {text}", code="image_build")


TABLE: dict[str, Maker] = {
    "AuthError": _auth,
    "PermissionDeniedError": _denied,
    "NotFoundError": _missing,
    "SandboxFilesystemNotFoundError": _missing,
    "OutputExpiredError": _expired,
    "FunctionTimeoutError": _timeout,
    "ImageBuildError": _build,
    "RemoteError": _generation("remote", "the container ended without a result"),
    "ExecutionError": _generation("unreadable_result", "the worker's answer cannot be read here"),
    "DeserializationError": _generation(
        "unreadable_result", "the worker's answer cannot be read here"
    ),
    "SerializationError": _refused,
    "InternalFailure": _generation("lost_input", "Modal lost the job on its side; submit it again"),
    "ResourceExhaustedError": _exhausted,
    "ConnectionError": _retryable,
    "ServiceError": _retryable,
    "InternalError": _retryable,
    "DataLossError": _retryable,
    "ClientClosed": _retryable,
    "TimeoutError": _retryable,
    "MountUploadTimeoutError": _retryable,
    "VolumeUploadTimeoutError": _retryable,
    "LogsFetchError": _api,
    "VersionError": _old_client,
    "InvalidError": _refused,
    "ConflictError": _api,
    "AlreadyExistsError": _api,
    "RequestSizeError": _refused,
    "UnimplementedError": _api,
    "WorkspaceManagementError": _api,
    "ModuleNotMountable": lambda what, text: DeploymentError(f"could not {what}: {text}"),
    "Error": _api,
}
"""What becomes of each class of ``modal.exception``, by its name."""

UNUSED = frozenset(
    {
        "SandboxTimeoutError",
        "SandboxTerminatedError",
        "SandboxFilesystemError",
        "SandboxFilesystemDirectoryNotEmptyError",
        "SandboxFilesystemIsADirectoryError",
        "SandboxFilesystemNotADirectoryError",
        "SandboxFilesystemPermissionError",
        "SandboxFilesystemFileTooLargeError",
        "SandboxFilesystemPathAlreadyExistsError",
        "SnapshotCreationError",
        "ExecTimeoutError",
        "InteractiveTimeoutError",
    }
)
"""Of sandboxes and shells, which we do not use; ``Error`` and ``TimeoutError`` would catch them."""

UNTOUCHED = frozenset({"InputCancellation"})
"""Never translated: it must reach Modal's own code in the container."""


def translate(error: Exception, what: str) -> TioMagicError | None:
    """Return our error for one of Modal's; None when it is not Modal's.

    Args:
        error: What was raised.
        what: What was tried, after "could not".
    """
    text = str(error) or type(error).__name__
    if type(error).__module__.split(".")[0] in {"grpclib", "aiohttp"} or isinstance(error, OSError):
        return _retryable(what, text)  # The network itself, below Modal's own classes.
    for kind in type(error).__mro__:
        if kind.__module__ == "modal.exception" and kind.__name__ in TABLE:
            return TABLE[kind.__name__](what, text)
    return None


@contextmanager
def translated(what: str) -> Iterator[None]:
    """Let only tiomagic's errors out; bugs pass as they are.

    Args:
        what: What is tried, after "could not".
    """
    try:
        yield
    except Exception as error:
        ours = translate(error, what)
        if ours is None:
            raise
        raise ours from error
