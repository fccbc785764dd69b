"""Translates errors of the hub's client, with advice: token, licence, network, disk.

=================================================  =========================  ====================
the hub's client raises                            becomes                    what helps
=================================================  =========================  ====================
GatedRepoError                                     AuthenticationError        accept the licence
RepositoryNotFoundError, HTTP 401 and 403          AuthenticationError        a token
RevisionNotFoundError, DisabledRepoError           ConfigurationError         weights by hand
OfflineModeIsEnabled                               APIError, retryable        unset it, or by hand
HTTP 429                                           RateLimitError             later
HTTP 5xx and others                                APIError, retryable        later
no network, no answer, a broken connection         APIError, retryable        network, or by hand
no space left                                      ConfigurationError         another disk
anything else of the client                        APIError                   its own words
=================================================  =========================  ====================
"""

from __future__ import annotations

import contextlib
import http
import json
from collections.abc import Iterator

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    TioMagicError,
)
from tiomagic_domain.requests.wire import FULL_DISK
from tiomagic_local.weights.no_answer import describe_no_answer

PUBLIC_HUB = "https://huggingface.co"
SMALL_MODEL = "doodle"
"""A model that comes with this package, for every feature."""


@contextlib.contextmanager
def translate_hub_errors(
    repository: str, *, model: str, by_hand: str = "", has_token: bool = False
) -> Iterator[None]:
    """Translate exceptions of the hub's client into errors with advice.

    Args:
        repository: The requested one.
        model: The model that needs it.
        by_hand: How to do without the hub; empty for the folders of a model.
        has_token: Whether a token was given with the request.
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
        translator = _Translator(repository, model, by_hand, has_token=has_token)
        raise translator.translate(cause) from cause
    except json.JSONDecodeError as error:
        message = (
            f"{describe_hub()} answers with a page that is no list of files: sign in to the "
            "network, or check HF_ENDPOINT"
        )
        raise APIError(message, details={"repository": repository}) from error
    except ValueError as error:
        raise ConfigurationError(f"{repository!r} cannot be asked for: {error}") from error


def describe_hub() -> str:
    """Return the hub with its address, for messages."""
    from huggingface_hub import constants

    mirror = "" if constants.ENDPOINT == PUBLIC_HUB else " (HF_ENDPOINT)"
    return f"the hub {constants.ENDPOINT}{mirror}"


def describe_wait(error: Exception) -> str:
    """Return what a download waits for after an error, short enough for a line."""
    status = status_of(error.__cause__)
    return "the hub" if status is None else f"the hub ({status})"


def check_token(token: str | None) -> None:
    """Check that a token can stand in a request, before a message could quote it.

    Raises:
        AuthenticationError: when it has a character that no token has.
    """
    if token is not None and not (token.isascii() and token.isprintable()):
        message = f"the token has a character that no token has: {NextStep.IDENTIFY_TO_HUB.say()}"
        raise AuthenticationError(message)


def damaged_file_error(repository: str, name: str) -> APIError:
    """Return the error for a file that is not what the hub lists."""
    message = (
        f"{name} of {repository!r} came with another content than {describe_hub()} lists; it was "
        "thrown away, and is downloaded again next time. If this repeats, the hub or a proxy "
        "on the way is broken"
    )
    return APIError(message, details={"repository": repository, "file": name})


def full_disk_error(model: str, folder: object, free: int, wanted: int) -> ConfigurationError:
    """Return the error for a disk without room for a download."""
    from tiomagic_domain.quantities import describe_bytes

    message = (
        f"the disk of {folder} is too full: {describe_bytes(wanted)} are to be downloaded for "
        f"{model!r}, and {describe_bytes(free)} are free. Free {describe_bytes(wanted - free)}, or "
        "name a folder on another disk (HF_HOME)"
    )
    details = {"model": model, "folder": str(folder), "bytes_free": free, "bytes_wanted": wanted}
    return ConfigurationError(message, details=details)


def _cause(error: Exception) -> Exception:
    """Return the hub's own error behind the client's "file not found"."""
    from huggingface_hub import errors as hub

    answer = error.__cause__
    hides = isinstance(error, hub.LocalEntryNotFoundError)
    return answer if hides and isinstance(answer, hub.HfHubHTTPError) else error


class _Translator:
    """Finds the error for what went wrong with one repository."""

    def __init__(self, repository: str, model: str, by_hand: str, *, has_token: bool) -> None:
        self._repository, self._model = repository, model
        self._by_hand = by_hand or NextStep.USE_OWN_WEIGHTS.say()
        self._has_token = has_token or _has_stored_token()
        self._hub = describe_hub()

    def translate(self, error: Exception) -> TioMagicError:
        return self._refusal(error) or self._disk(error) or self._trouble(error)

    def _refusal(self, error: Exception) -> TioMagicError | None:
        """Return the error for a refusal of the hub."""
        from huggingface_hub import errors as hub

        status, repository = status_of(error), self._repository
        details = {"repository": repository, "model": self._model, "status_code": status}
        token = NextStep.IDENTIFY_TO_HUB.say()
        if isinstance(error, hub.GatedRepoError):
            rest = "with the account of your token" if self._has_token else f"and then {token}"
            said = f"{self._hub} says that {repository!r} is gated"
            message = f"{said}: accept its licence once at {self._page()} {rest}"
            return AuthenticationError(message, details=details)
        if isinstance(error, hub.RepositoryNotFoundError) or status in {401, 403}:
            how = "with your token" if self._has_token else "without a token"
            said = f"{self._hub} does not show {repository!r} {how} ({status or 404})"
            message = f"{said}: {token} that may read it, or check the name at {self._page()}"
            return AuthenticationError(message, details=details)
        if isinstance(error, hub.RevisionNotFoundError | hub.DisabledRepoError):
            message = f"{self._hub} no longer has these weights of {repository!r}: {self._by_hand}"
            return ConfigurationError(message, details=details)
        if status == 429:
            seconds = retry_after_of(error)
            message = f"{self._hub} takes no more requests now (429): try again {_when(error)}"
            if not self._has_token:
                message += f". With a token it allows more: {token}"
            return RateLimitError(message, details=details | {"retry_after": seconds})
        return None

    def _disk(self, error: Exception) -> TioMagicError | None:
        """Return the error for a disk that cannot store the files."""
        details = {"model": self._model}
        if isinstance(error, OSError) and error.errno in FULL_DISK:
            message = (
                f"the disk is full: the weights of {self._model!r} do not fit. What has come "
                "stays; make room, or name a folder on another disk (HF_HOME)"
            )
            return ConfigurationError(message, details=details)
        # With a path it is the disk's: read-only, not ours, or a file where a folder should be.
        if isinstance(error, PermissionError) or getattr(error, "filename", None):
            message = f"the weights cannot be stored: {error}; HF_HOME names another place"
            return ConfigurationError(message, details=details)
        return None

    def _trouble(self, error: Exception) -> TioMagicError:
        """Return the error for a hub that cannot be reached, or is in trouble."""
        from huggingface_hub import constants

        status = status_of(error)
        details: dict[str, object] = {"model": self._model, "endpoint": constants.ENDPOINT}
        details |= {"status_code": status, "cause": str(error)[:300]}
        card = models().get(self._model)
        if status is not None and status < 500:
            message = f"{self._hub} answers {status}{_phrase(status)} for {self._repository!r}"
            message += f": check its name at {self._page()}"
        elif status is not None:
            message = f"{self._hub} answers {status}{_phrase(status)}: try again {_when(error)}"
        elif type(error).__name__ == "OfflineModeIsEnabled":
            message = "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it"
        else:
            message = self._no_answer(error, card)
        message = f"{message}; or {self._by_hand}"
        if card is not None:
            message += f"; meanwhile, {NextStep.USE_MODEL.say(model=SMALL_MODEL)}"
        return APIError(message, details=details, retryable=True)

    def _no_answer(self, error: Exception, card: ModelCard | None) -> str:
        """Return why there is no answer and what helps: a setting, or a network."""
        from huggingface_hub import constants

        reason, advice = describe_no_answer(error, hub=self._hub, endpoint=constants.ENDPOINT)
        if advice:
            return f"{reason}. {advice}"
        # A file of the user's is no part of what that step fetches.
        if card is None or self._repository not in card.repositories:
            return f"{reason}: try again with a network"
        # Without a size: it depends on the formats of the call, which a plan knows.
        return f"{reason}. With a network, {NextStep.DOWNLOAD_WEIGHTS.say(model=card.name)}"

    def _page(self) -> str:
        return f"{PUBLIC_HUB}/{self._repository}"


def _when(error: Exception) -> str:
    """Return when to ask again, as the hub says it."""
    seconds = retry_after_of(error)
    return "later" if seconds is None else f"in {seconds:.0f} s"


def _phrase(status: int) -> str:
    try:
        return f" ({http.HTTPStatus(status).phrase})"
    except ValueError:
        return ""


def _has_stored_token() -> bool:
    from huggingface_hub import get_token

    return bool(get_token())


def status_of(error: BaseException | None) -> int | None:
    """Return the HTTP status of an error of the client."""
    response = getattr(error, "response", None)
    status = getattr(response, "status_code", None)
    return status if isinstance(status, int) else None


def retry_after_of(error: BaseException | None) -> float | None:
    """Return the seconds after which the hub wants to be asked again; None if it says nothing."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    said = str(headers.get("Retry-After", "")).strip()
    if said.isdigit():
        return float(said)
    limit = str(headers.get("ratelimit", ""))
    left, _, reset = limit.partition("t=")
    seconds = reset.partition(";")[0].strip()
    return float(seconds) if "r=0" in left and seconds.isdigit() else None
