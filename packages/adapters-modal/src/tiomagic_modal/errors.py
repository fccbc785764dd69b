"""Translates Modal's exceptions into tiomagic's. The most specific class of the table wins.

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

The builtin TimeoutError is none of these: ``get(timeout=0)`` raises it for "still running".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from tiomagic_domain.advice import NextStep
from tiomagic_domain.codes import ErrorCode
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

ErrorMaker = Callable[[str, str], TioMagicError]


def _make_api_error(what: str, text: str) -> TioMagicError:
    return APIError(f"could not {what}: Modal said {text!r}")


def _make_retryable_error(what: str, text: str) -> TioMagicError:
    return APIError(
        f"could not {what} for now: Modal said {text!r}", code=ErrorCode.UNAVAILABLE, retryable=True
    )


def _generation_error_maker(code: ErrorCode, reason: str) -> ErrorMaker:
    return lambda _, text: GenerationError(f"{reason}: {text}", code=code)


def _make_authentication_error(what: str, text: str) -> TioMagicError:
    if "missing" in text.casefold() or "not found" in text.casefold():
        return AuthenticationError(
            f"could not {what}: there is no Modal token. {HOW_TO_SIGN_IN}", code=ErrorCode.NO_TOKEN
        )
    return AuthenticationError(
        f"could not {what}: Modal refuses the token ({text}). {HOW_TO_SIGN_IN}",
        code=ErrorCode.BAD_TOKEN,
    )


def _make_permission_error(what: str, text: str) -> TioMagicError:
    return AuthenticationError(
        f"could not {what}: this token may not do that ({text})", code=ErrorCode.PERMISSION_DENIED
    )


def _make_rate_limit_error(what: str, text: str) -> TioMagicError:
    return RateLimitError(f"could not {what}: a limit of the Modal workspace is reached ({text})")


def _make_not_found_error(what: str, text: str) -> TioMagicError:
    return ResourceNotFoundError(
        f"could not {what}: {text}. Is this the workspace and environment that it was made in?"
    )


def _make_expired_error(what: str, text: str) -> TioMagicError:
    return ResourceNotFoundError(
        f"could not {what}: Modal keeps a result for seven days ({text})", code=ErrorCode.EXPIRED
    )


def _make_timeout_error(_: str, text: str) -> TioMagicError:
    return JobTimeoutError(
        "the generation took longer than it was allowed; to allow more, "
        f"{NextStep.CHANGE_SETTING.say(name='timeout')} ({text})",
        code=ErrorCode.FUNCTION_TIMEOUT,
    )


def _make_refused_error(what: str, text: str) -> TioMagicError:
    return ConfigurationError(
        f"could not {what}: Modal refuses it ({text})", code=ErrorCode.REFUSED
    )


def _make_old_client_error(what: str, text: str) -> TioMagicError:
    return ConfigurationError(
        f"could not {what}: Modal no longer serves this version of its client ({text}); "
        "run: pip install --upgrade modal",
        code=ErrorCode.MODAL_TOO_OLD,
    )


def _make_build_error(_: str, text: str) -> TioMagicError:
    return DeploymentError(f"Modal could not build the image: {text}", code=ErrorCode.IMAGE_BUILD)


ERROR_MAKERS: dict[str, ErrorMaker] = {
    "AuthError": _make_authentication_error,
    "PermissionDeniedError": _make_permission_error,
    "NotFoundError": _make_not_found_error,
    "SandboxFilesystemNotFoundError": _make_not_found_error,
    "OutputExpiredError": _make_expired_error,
    "FunctionTimeoutError": _make_timeout_error,
    "ImageBuildError": _make_build_error,
    "RemoteError": _generation_error_maker(
        ErrorCode.REMOTE, "the container ended without a result"
    ),
    "ExecutionError": _generation_error_maker(
        ErrorCode.UNREADABLE_RESULT, "the worker's answer cannot be read here"
    ),
    "DeserializationError": _generation_error_maker(
        ErrorCode.UNREADABLE_RESULT, "the worker's answer cannot be read here"
    ),
    "SerializationError": _make_refused_error,
    "InternalFailure": _generation_error_maker(
        ErrorCode.LOST_INPUT, "Modal lost the job on its side; submit it again"
    ),
    "ResourceExhaustedError": _make_rate_limit_error,
    "ConnectionError": _make_retryable_error,
    "ServiceError": _make_retryable_error,
    "InternalError": _make_retryable_error,
    "DataLossError": _make_retryable_error,
    "ClientClosed": _make_retryable_error,
    "TimeoutError": _make_retryable_error,
    "MountUploadTimeoutError": _make_retryable_error,
    "VolumeUploadTimeoutError": _make_retryable_error,
    "LogsFetchError": _make_api_error,
    "VersionError": _make_old_client_error,
    "InvalidError": _make_refused_error,
    "ConflictError": _make_api_error,
    "AlreadyExistsError": _make_api_error,
    "RequestSizeError": _make_refused_error,
    "UnimplementedError": _make_api_error,
    "WorkspaceManagementError": _make_api_error,
    "ModuleNotMountable": lambda what, text: DeploymentError(f"could not {what}: {text}"),
    "Error": _make_api_error,
}
"""The error of tiomagic for each class of ``modal.exception``, by its name."""

UNUSED_ERRORS = frozenset(
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

UNTRANSLATED_ERRORS = frozenset({"InputCancellation"})
"""Never translated: it must reach Modal's own code in the container."""


def translate_error(error: Exception, what: str) -> TioMagicError | None:
    """Return our error for one of Modal's; None when it is not Modal's.

    Args:
        error: What was raised.
        what: What was tried, after "could not".
    """
    text = str(error) or type(error).__name__
    if type(error).__module__.split(".")[0] in {"grpclib", "aiohttp"} or isinstance(error, OSError):
        # Errors of the network itself, which Modal does not wrap.
        return _make_retryable_error(what, text)
    for kind in type(error).__mro__:
        if kind.__module__ == "modal.exception" and kind.__name__ in ERROR_MAKERS:
            return ERROR_MAKERS[kind.__name__](what, text)
    return None


@contextmanager
def translate_modal_errors(what: str) -> Iterator[None]:
    """Translate Modal's exceptions that leave the block; bugs pass as they are.

    Args:
        what: What is tried, after "could not".
    """
    try:
        yield
    except Exception as error:
        ours = translate_error(error, what)
        if ours is None:
            raise
        raise ours from error
