"""Sends requests to a vendor once, and says what became of each.

The vendors' clients repeat a request after an error, also one that starts a run, and a repetition
would be billed as a second run. So they get a transport whose errors they do not know, and so do
not repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from types import ModuleType
from typing import Any

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, ValidationError
from tiomagic_domain.jobs.job import Job
from tiomagic_hosted.errors import Answer, lose_answer, translate_refusal

ReadAnswer = Callable[[Any], Answer]
"""Reads a response of 400 or above, with the vendor's own words."""


class RefusedError(Exception):
    """The vendor answered with a status of 400 or above."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.text)
        self.answer = answer

    @property
    def is_passing(self) -> bool:
        """Whether the same question may have another answer later."""
        return self.answer.status in {408, 429} or self.answer.status >= 500


class UnansweredError(Exception):
    """No answer came.

    Attributes:
        was_sent: False when no connection was made, so that the vendor has read nothing.
    """

    def __init__(self, reason: str, *, was_sent: bool) -> None:
        super().__init__(reason)
        self.was_sent = was_sent


def build_transport(http: ModuleType, read_answer: ReadAnswer, inner: Any = None) -> Any:
    """Return a transport whose errors no client repeats.

    Args:
        http: ``httpx``, or ``httpx2``, which has the same classes: what the vendor's client uses.
        read_answer: Reads a response of 400 or above.
        inner: What sends; None for :func:`build_sender`.
    """
    sender = inner or build_sender(http)

    class Once(http.BaseTransport):  # type: ignore[misc, name-defined]
        def handle_request(self, request: Any) -> Any:
            try:
                response = sender.handle_request(request)
                # An answer to a POST is read here, or the client would meet a connection that
                # breaks in the middle of it, and repeat the request.
                if response.status_code >= 400 or request.method == "POST":
                    response.read()
            except (http.ConnectError, http.ConnectTimeout) as error:
                raise UnansweredError(say_reason(error), was_sent=False) from error
            except http.HTTPError as error:
                raise UnansweredError(say_reason(error), was_sent=True) from error
            if response.status_code >= 400:
                raise RefusedError(read_answer(response))
            return response

        def close(self) -> None:
            sender.close()

    return Once()


def build_sender(http: ModuleType) -> Any:
    """Return what sends a request over a connection of its own.

    Most clients cannot be closed, so connections that they keep would stay open.

    Args:
        http: ``httpx`` or ``httpx2``.
    """
    limits = http.Limits(max_keepalive_connections=0)
    return http.HTTPTransport(verify=find_tls(http), limits=limits)


@lru_cache(maxsize=2)
def find_tls(http: ModuleType) -> Any:
    """Return the certificates to trust; reading them takes most of building a client."""
    return http.create_ssl_context()


def say_reason(error: Exception) -> str:
    """Return an error's text, or its kind when it has none."""
    return str(error) or type(error).__name__


def read_wait(response: Any) -> float | None:
    """Return the seconds that a response asks to wait; None when it does not say."""
    wait = response.headers.get("retry-after", "")
    return float(wait) if wait.isdecimal() else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """A vendor whose refusals and silences become errors of ours."""

    title: str
    """The vendor's name."""
    key: str
    """The environment variable that has the key."""

    def translate(self, answer: Answer, doing: str) -> Exception:
        """Return the error for a refusal."""
        return translate_refusal(answer, title=self.title, doing=doing, key=self.key)

    @contextmanager
    def creating(self, job: Job, *unreadable: type[Exception]) -> Iterator[None]:
        """Translate the errors of a request for a run.

        Args:
            job: The job that the run is for.
            unreadable: What the vendor's client raises for an answer that it cannot read.
        """
        odd: tuple[type[Exception], ...] = (KeyError, ValueError, *unreadable)
        try:
            yield
        except RefusedError as error:
            answer = error.answer
            if answer.status >= 500 or answer.status == 408:
                # A gateway answers so when what is behind it was too slow, too: it may run.
                raise lose_answer(self.title, job.job_id, f"HTTP {answer.status}") from error
            raise self.translate(answer, "start the run") from error
        except UnansweredError as error:
            if error.was_sent:
                raise lose_answer(self.title, job.job_id, str(error)) from error
            raise APIError(
                f"{self.title} cannot be reached ({error}); nothing was started", retryable=True
            ) from error
        except odd as error:
            raise lose_answer(self.title, job.job_id, "its answer cannot be read") from error

    @contextmanager
    def asking(self, doing: str, *unreadable: type[Exception]) -> Iterator[None]:
        """Translate the errors of a question that starts nothing.

        Args:
            doing: What is tried, such as ``look at the run``.
            unreadable: What the vendor's client raises for an answer that it cannot read.
        """
        odd: tuple[type[Exception], ...] = (UnansweredError, *unreadable)
        try:
            yield
        except RefusedError as error:
            raise self.translate(error.answer, doing) from error
        except odd as error:
            raise APIError(
                f"{self.title} could not be asked to {doing}: {say_reason(error)}",
                code=ErrorCode.UNREACHABLE,
                retryable=True,
            ) from error

    @contextmanager
    def fetching(self, *broken: type[Exception]) -> Iterator[None]:
        """Translate the errors of a download: the video did not arrive, whatever the reason.

        Args:
            broken: What the vendor's client raises for a connection that breaks.

        Raises:
            ValidationError: as a reader of bytes does; see `RunState.read`.
        """
        odd: tuple[type[Exception], ...] = (UnansweredError, *broken)
        try:
            yield
        except RefusedError as error:
            answer = error.answer
            raise ValidationError(f"{answer.text} (HTTP {answer.status})") from error
        except odd as error:
            raise ValidationError(say_reason(error)) from error
