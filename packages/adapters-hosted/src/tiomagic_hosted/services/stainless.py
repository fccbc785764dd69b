"""What clients that Stainless generates have in common: Runway's and Luma's.

They wrap each error of a transport in one of their own, and, left alone, repeat a request twice.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from types import ModuleType
from typing import Any, Final

from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import APIError, TioMagicError
from tiomagic_domain.jobs.job import Job
from tiomagic_hosted.errors import Answer
from tiomagic_hosted.sending import (
    Correspondent,
    RefusedError,
    UnansweredError,
    build_transport,
    read_wait,
)

REQUEST_TIMEOUT_S: Final = 60.0
UNREADABLE: Final = (AttributeError, TypeError)
"""What the clients raise for an answer that has another form; a ``ValueError`` for one that is no
JSON."""


def build_client(make: Any, text_names: tuple[str, ...], **options: object) -> Any:
    """Return a client that sends each request once.

    Args:
        make: The client's class.
        text_names: Where an answer of 400 or above may have the vendor's words, the best first.
        **options: Of the class, such as its key.
    """
    import httpx  # noqa: PLC0415 - the clients' own

    return make(
        max_retries=0,
        timeout=REQUEST_TIMEOUT_S,
        http_client=httpx.Client(
            transport=build_transport(httpx, partial(_read_answer, text_names=text_names)),
            timeout=REQUEST_TIMEOUT_S,
            follow_redirects=True,
        ),
        **options,
    )


def _read_answer(response: Any, *, text_names: tuple[str, ...]) -> Answer:
    text, code = response.text[:1000], None
    try:
        body = response.json()
    except ValueError:
        body = None
    if isinstance(body, Mapping):
        said = (body.get(name) for name in text_names)
        text = next((_say(one) for one in said if one), text)
        code = body.get("code")
    return Answer(
        status=response.status_code,
        text=text,
        code=code if isinstance(code, str) else None,
        retry_after_s=read_wait(response),
    )


def _say(words: object) -> str:
    """Return what a vendor says, also where it is a list of problems with their places."""
    if isinstance(words, list):
        return "; ".join(_say(one) for one in words)
    if isinstance(words, Mapping):
        place = words.get("path") or words.get("loc") or ()
        where = ".".join(map(str, place)) if isinstance(place, list) else str(place)
        text = str(words.get("message") or words.get("msg") or dict(words))
        return f"{where}: {text}" if where else text
    return str(words)


@contextmanager
def _unwrapped() -> Iterator[None]:
    try:
        yield
    except Exception as error:
        if isinstance(error.__cause__, RefusedError | UnansweredError):
            raise error.__cause__ from error
        raise


@contextmanager
def creating(vendor: Correspondent, job: Job) -> Iterator[None]:
    """Translate the errors of a request for a run; see :meth:`Correspondent.creating`."""
    with vendor.creating(job, *UNREADABLE), _unwrapped():
        yield


@contextmanager
def asking(vendor: Correspondent, doing: str) -> Iterator[None]:
    """Translate the errors of a question; see :meth:`Correspondent.asking`."""
    try:
        with vendor.asking(doing), _unwrapped():
            yield
    except (*UNREADABLE, ValueError) as error:
        if isinstance(error, TioMagicError):
            raise  # A refusal, which is a ``ValueError`` too.
        raise APIError(
            f"{vendor.title} was asked to {doing}, and its answer cannot be read",
            code=ErrorCode.MALFORMED_ANSWER,
            retryable=True,
        ) from error


def read_plain(answer: Any) -> dict[str, Any]:
    """Return an answer as plain data, with the vendor's names."""
    plain = answer.to_dict(mode="json")
    if not isinstance(plain, dict):
        raise TypeError(type(plain))
    return plain


def import_client(name: str, extra: str) -> ModuleType:
    """Return a vendor's client.

    Raises:
        MissingDependencyError: with the command that installs it.
    """
    import importlib  # noqa: PLC0415

    from tiomagic_domain.extras import missing_extra_error  # noqa: PLC0415

    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise missing_extra_error(extra, f"the provider {extra!r}", module=name) from error
