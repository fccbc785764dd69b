"""Keeps secrets out of what providers say.

A vendor's error may repeat the token that it refused. Whatever a provider raises or reports passes
through here before it reaches a job record, a log or the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.ports import Capabilities, Observer, Provider, Report, Request

if TYPE_CHECKING:
    from tiomagic_domain.jobs import Job

HIDDEN = "***"


class DiscreetProvider:
    """A provider whose every word is free of secrets.

    Args:
        provider: Does the work.
        secrets: Gives what must not be said.
    """

    def __init__(self, provider: Provider, secrets: Callable[[], frozenset[str]]) -> None:
        self.provider = provider
        self._secrets = secrets

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    def capabilities(self) -> Capabilities:
        """Return what the provider is like."""
        return self.provider.capabilities()

    def check(self, request: Request) -> None:
        """Look for reasons why the job cannot run; see the port."""
        with self._hushed():
            self.provider.check(request)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Start a job; see the port."""
        with self._hushed():
            return self._clean(self.provider.submit(request, observer))

    def poll(self, job: Job) -> Report:
        """Ask how a job is; see the port."""
        with self._hushed():
            return self._clean(self.provider.poll(job))

    def cancel(self, job: Job) -> Report:
        """Ask for a job to stop; see the port."""
        with self._hushed():
            return self._clean(self.provider.cancel(job))

    def _clean(self, report: Report) -> Report:
        secrets = self._secrets()
        error = None if report.error is None else hidden(report.error, secrets)
        return replace(report, message=hidden(report.message, secrets), error=error)

    @contextmanager
    def _hushed(self) -> Iterator[None]:
        try:
            yield
        except Exception as error:
            secrets = self._secrets()
            for link in _chain(error):
                hush(link, secrets)
            raise


def hush(error: BaseException, secrets: frozenset[str]) -> None:
    """Take the secrets out of an exception, in place: its kind and traceback stay."""
    error.args = tuple(_plainly(arg, secrets) for arg in error.args)
    if isinstance(error, TioMagicError):
        error.message = hidden(error.message, secrets)
        error.details = {key: _plainly(value, secrets) for key, value in error.details.items()}


def hidden(text: str, secrets: frozenset[str]) -> str:
    """Return a text with every secret replaced."""
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    return text


def _plainly(value: Any, secrets: frozenset[str]) -> Any:
    return hidden(value, secrets) if isinstance(value, str) else value


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Give an exception and what it was raised from: a traceback shows them all."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__
