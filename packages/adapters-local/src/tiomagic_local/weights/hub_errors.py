"""Translates errors of the hub's client, with advice: token, licence, network, disk.

=================================================  =========================  ====================
the hub's client raises                            becomes                    what helps
=================================================  =========================  ====================
GatedRepoError                                     AuthenticationError        accept the licence
RepositoryNotFoundError, HTTP 401 and 403          AuthenticationError        a token
RevisionNotFoundError, DisabledRepoError           ConfigurationError         weights by hand
LocalEntryNotFoundError, OfflineModeIsEnabled      APIError, retryable        network, or by hand
HTTP 429                                           RateLimitError             later
other HTTP errors, broken connections              APIError, retryable        later
no space left                                      ConfigurationError         another disk
anything else of the client                        APIError                   its own words
=================================================  =========================  ====================
"""

from __future__ import annotations

import contextlib
import errno
from collections.abc import Iterator

from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    TioMagicError,
)


@contextlib.contextmanager
def translate_hub_errors(repository: str, *, model: str, by_hand: str = "") -> Iterator[None]:
    """Translate exceptions of the hub's client into errors with advice.

    Args:
        repository: The requested one.
        model: The model that needs it.
        by_hand: How to do without the hub; empty for the folders of a model.
    """
    from huggingface_hub import errors as hub

    try:
        yield
    except TioMagicError:
        raise
    except (
        OSError,
        hub.RevisionResolutionError,
        hub.EntryNotFoundError,
        hub.CachedRepoTreeNotFoundError,
        hub.XetDownloadError,
        # Errors of the HTTP library of the hub's client, which depends on its version.
        hub.HTTPError,  # type: ignore[attr-defined]
    ) as error:
        cause = _cause(error)
        raise _meaning(cause, repository, model, by_hand or _by_hand(model)) from cause
    except ValueError as error:
        raise ConfigurationError(f"{repository!r} cannot be asked for: {error}") from error


def _cause(error: Exception) -> Exception:
    """Return the hub's own error behind the client's "file not found"."""
    from huggingface_hub import errors as hub

    answer = error.__cause__
    hides = isinstance(error, hub.LocalEntryNotFoundError)
    return answer if hides and isinstance(answer, hub.HfHubHTTPError) else error


def _meaning(error: Exception, repository: str, model: str, by_hand: str) -> TioMagicError:
    return _refusal(error, repository, model, by_hand) or _trouble(error, model, by_hand)


def _refusal(error: Exception, repository: str, model: str, by_hand: str) -> TioMagicError | None:
    """Return the error for a refusal of the hub."""
    from huggingface_hub import errors as hub

    details = {"repository": repository, "model": model}
    page = f"https://huggingface.co/{repository}"
    if isinstance(error, hub.GatedRepoError):
        message = (
            f"{repository!r} is gated: accept its licence at {page} and give a token (HF_TOKEN)"
        )
        return AuthenticationError(message, details=details)
    status = status_of(error)
    if isinstance(error, hub.RepositoryNotFoundError) or status in {401, 403}:
        message = (
            f"the hub does not show {repository!r}: a token (HF_TOKEN) that may see it is needed"
        )
        return AuthenticationError(message, details=details)
    if isinstance(error, hub.RevisionNotFoundError | hub.DisabledRepoError):
        message = f"the hub no longer has these weights of {repository!r}: {by_hand}"
        return ConfigurationError(message, details=details)
    if status == 429:
        return RateLimitError("the hub asks to come back later", details=details)
    return None


def _trouble(error: Exception, model: str, by_hand: str) -> TioMagicError:
    """Return the error for an unreachable hub or a disk that cannot store the files."""
    details = {"model": model}
    if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
        message = f"the disk is full: the weights of {model!r} do not fit; HF_HOME names another"
        return ConfigurationError(message, details=details)
    if isinstance(error, PermissionError):
        message = f"the weights cannot be stored: {error}; HF_HOME names another place"
        return ConfigurationError(message, details=details)
    offline = type(error).__name__ == "OfflineModeIsEnabled"
    way = "HF_HUB_OFFLINE is set: unset it" if offline else "Try again with a network"
    message = (
        f"the weights of {model!r} are not here and the hub cannot be reached "
        f"({type(error).__name__}). {way}, or {by_hand}"
    )
    return APIError(message, details=details | {"cause": str(error)[:300]}, retryable=True)


def _by_hand(model: str) -> str:
    return f"put the files into <weights_dir>/{model} or give their folder as model_path"


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status of an error of the client."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None
