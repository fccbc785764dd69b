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
import errno
import http
import socket
import ssl
from collections.abc import Iterator
from urllib.parse import urlsplit

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import models
from tiomagic_domain.errors import (
    APIError,
    AuthenticationError,
    ConfigurationError,
    RateLimitError,
    TioMagicError,
)

PUBLIC_HUB = "https://huggingface.co"
SMALL_MODEL = "doodle"
"""A model that comes with this package, for every feature."""
UNREACHABLE = frozenset({errno.ENETUNREACH, errno.EHOSTUNREACH, errno.ENETDOWN})


class HubSilentError(OSError):
    """The hub has not answered in time."""


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
    except ValueError as error:
        raise ConfigurationError(f"{repository!r} cannot be asked for: {error}") from error


def describe_hub() -> str:
    """Return the hub with its address, for messages."""
    from huggingface_hub import constants

    mirror = "" if constants.ENDPOINT == PUBLIC_HUB else " (HF_ENDPOINT)"
    return f"the hub {constants.ENDPOINT}{mirror}"


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
            message = f"{repository!r} is gated: accept its licence once at {self._page()} {rest}"
            return AuthenticationError(message, details=details)
        if isinstance(error, hub.RepositoryNotFoundError) or status in {401, 403}:
            how = "with your token" if self._has_token else "without a token"
            said = f"the hub does not show {repository!r} {how} ({status or 404})"
            message = f"{said}: {token} that may read it, or check the name at {self._page()}"
            return AuthenticationError(message, details=details)
        if isinstance(error, hub.RevisionNotFoundError | hub.DisabledRepoError):
            message = f"the hub no longer has these weights of {repository!r}: {self._by_hand}"
            return ConfigurationError(message, details=details)
        if status == 429:
            seconds = retry_after_of(error)
            when = "later" if seconds is None else f"in {seconds:.0f} s"
            message = f"{self._hub} takes no more requests now (429): try again {when}"
            if not self._has_token:
                message += f". With a token it allows more: {token}"
            return RateLimitError(message, details=details | {"retry_after": seconds})
        return None

    def _disk(self, error: Exception) -> TioMagicError | None:
        """Return the error for a disk that cannot store the files."""
        details = {"model": self._model}
        if isinstance(error, OSError) and error.errno in {errno.ENOSPC, errno.EDQUOT}:
            message = (
                f"the disk is full: the weights of {self._model!r} do not fit. What has come "
                "stays; make room, or name a folder on another disk (HF_HOME)"
            )
            return ConfigurationError(message, details=details)
        if isinstance(error, PermissionError):
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
            message = f"{self._hub} answers {status}{_phrase(status)}: try again later"
        elif type(error).__name__ == "OfflineModeIsEnabled":
            message = "HF_HUB_OFFLINE is set, so nothing is downloaded: unset it"
        elif card is None:
            message = f"{_describe_connection(error, self._hub)}: try again with a network"
        else:
            step = NextStep.DOWNLOAD_WEIGHTS.say(model=card.name)
            message = f"{_describe_connection(error, self._hub)}. With a network, {step}"
            message += f", about {card.weights_gib:.0f} GiB"
        message = f"{message}; or {self._by_hand}"
        if card is not None:
            message += f"; meanwhile, {NextStep.USE_MODEL.say(model=SMALL_MODEL)}"
        return APIError(message, details=details, retryable=True)

    def _page(self) -> str:
        return f"{PUBLIC_HUB}/{self._repository}"


def _describe_connection(error: BaseException, hub: str) -> str:
    """Return why there is no answer, without a comma at the end."""
    chain = list(_chain(error))
    host = urlsplit(hub.split()[2]).hostname
    if any(isinstance(each, ssl.SSLError) for each in chain):
        return f"no safe connection to {hub}: {chain[-1]}"
    if any(isinstance(each, socket.gaierror) for each in chain):
        return f"no network: the name {host} cannot be looked up"
    if any(isinstance(each, ConnectionRefusedError) for each in chain):
        return f"{hub} refuses the connection"
    if any(isinstance(each, OSError) and each.errno in UNREACHABLE for each in chain):
        return f"no network: there is no way to {host}"
    silent = any(
        isinstance(each, HubSilentError | TimeoutError) or "Timeout" in type(each).__name__
        for each in chain
    )
    if silent:
        return f"no network, or a slow one: {hub} gives no answer"
    return f"{hub} cannot be reached ({type(error).__name__})"


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    following: BaseException | None = error
    while following is not None and id(following) not in seen:
        seen.add(id(following))
        yield following
        following = following.__cause__ or following.__context__


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
