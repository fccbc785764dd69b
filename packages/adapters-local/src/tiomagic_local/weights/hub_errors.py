"""What the errors of the hub's client mean for a user.

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
    """Turn what the hub's client raises into errors that say what to do.

    Args:
        repository: What is asked for.
        model: What it is for.
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
        # Of the transport that the hub's client uses, whichever its version has.
        hub.HTTPError,  # type: ignore[attr-defined]
    ) as error:
        cause = _cause(error)
        raise _meaning(cause, repository, model, by_hand or _by_hand(model)) from cause
    except ValueError as error:
        raise ConfigurationError(f"{repository!r} cannot be asked for: {error}") from error


def _cause(error: Exception) -> Exception:
    """Return the hub's answer where the client says no more than that a file is not here."""
    from huggingface_hub import errors as hub

    answer = error.__cause__
    hides = isinstance(error, hub.LocalEntryNotFoundError)
    return answer if hides and isinstance(answer, hub.HfHubHTTPError) else error


def _meaning(error: Exception, repository: str, model: str, by_hand: str) -> TioMagicError:
    return _refusal(error, repository, model, by_hand) or _trouble(error, model, by_hand)


def _refusal(error: Exception, repository: str, model: str, by_hand: str) -> TioMagicError | None:
    """Return what it means when the hub has answered and does not give the files."""
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
    """Return what it means when the hub was not reached, or the disk did not take the files."""
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
    """Return the HTTP status of the answer that an error of the client tells of."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None
