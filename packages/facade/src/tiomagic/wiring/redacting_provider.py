"""Redacts secrets in the reports and errors of providers.

A vendor's error may repeat the token that it refused. Whatever a provider raises or reports passes
through here before it reaches a job record, a log or the caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tiomagic_domain.errors import TioMagicError
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.ports.provider import (
    Capabilities,
    Observer,
    Provider,
    ProviderBase,
    Report,
    Request,
    RunDescription,
    find_answers,
)
from tiomagic_domain.ports.rehearsal import Rehearsal
from tiomagic_domain.redaction import redact, redact_data

if TYPE_CHECKING:
    from tiomagic_domain.catalogue import ModelCard
    from tiomagic_domain.features import Feature
    from tiomagic_domain.jobs.job import Job
    from tiomagic_domain.money.estimate import Estimate
    from tiomagic_domain.money.listed_price import ListedPrice
    from tiomagic_domain.ports.known_runs import KnownRuns
    from tiomagic_domain.progress import Preview


class RedactingProvider(ProviderBase):
    """A provider whose reports and errors are redacted.

    Args:
        provider: Does the work.
        secrets: Gives the secrets.
        keep_logs: Takes a job's id and all that its run has printed, as a report brings it.
        runs: Says which models the provider's plug-in runs.
    """

    def __init__(
        self,
        provider: Provider,
        secrets: Callable[[], frozenset[str]],
        keep_logs: Callable[[str, str], None],
        runs: Callable[[ModelCard], bool],
    ) -> None:
        self.provider = provider
        self._answers = find_answers(provider)
        self._secrets = secrets
        self._keep_logs = keep_logs
        self._runs = runs

    @property
    def name(self) -> str:
        """The provider's name."""
        return self.provider.name

    def capabilities(self) -> Capabilities:
        """Return the provider's properties: models must pass the plug-in and the provider."""
        able = self.provider.capabilities()
        return replace(able, runs=lambda card: self._runs(card) and able.runs(card))

    def check(self, request: Request) -> None:
        """Raise if the job cannot run; see the port."""
        with self._redact_errors():
            self.provider.check(request)

    def submit(self, request: Request, observer: Observer) -> Report:
        """Start a job; see the port."""
        with self._redact_errors():
            observed = _RedactingObserver(observer, lambda report: self._clean(report, request.job))
            return self._clean(self.provider.submit(request, observed), request.job)

    def poll(self, job: Job) -> Report:
        """Ask how a job is; see the port."""
        with self._redact_errors():
            return self._clean(self.provider.poll(job), job)

    def cancel(self, job: Job) -> Report:
        """Ask for a job to stop; see the port."""
        with self._redact_errors():
            return self._clean(self.provider.cancel(job), job)

    def describe(self, request: Request) -> RunDescription:
        """Return what a request would run on and cost; see the base."""
        with self._redact_errors():
            return self._answers.describe(request)

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return what a request is expected to take and to cost; see the base."""
        with self._redact_errors():
            return self._answers.estimate(request, known)

    def list_prices(self, card: ModelCard, feature: Feature) -> list[ListedPrice]:
        """Return what runs of a model cost; see the base."""
        with self._redact_errors():
            return self._answers.list_prices(card, feature)

    def preflight(self, card: ModelCard, settings: Mapping[str, Any]) -> RunConditions:
        """Return what a run meets and needs; see the base."""
        with self._redact_errors():
            return self._answers.preflight(card, settings)

    def ask_ahead(self, request: Request) -> None:
        """Find out whether what a run downloads can be had; see the base."""
        with self._redact_errors():
            self._answers.ask_ahead(request)

    def preview(self, job: Job) -> Preview:
        """Return the newest preview of a job; see the base."""
        with self._redact_errors():
            return self._answers.preview(job)

    def rehearse(self, model: str, settings: Mapping[str, Any] | None = None) -> Rehearsal:
        """Have a model rehearsed; see the base."""
        with self._redact_errors():
            # A provider of a package may be older than the settings.
            return self._answers.rehearse(*([model, settings] if settings else [model]))

    def unload(self) -> None:
        """Free the memory of models; see the base."""
        with self._redact_errors():
            self._answers.unload()

    def _clean(self, report: Report, job: Job) -> Report:
        secrets = self._secrets()
        if report.logs is not None:
            self._keep_logs(job.job_id, redact(report.logs, secrets))
        return redact_report(report, secrets)

    @contextmanager
    def _redact_errors(self) -> Iterator[None]:
        with redact_errors(self._secrets):
            yield


class _RedactingObserver:
    """The observer of a submission, with redacted reports."""

    def __init__(self, observer: Observer, clean: Callable[[Report], Report]) -> None:
        self._observer = observer
        self._clean = clean

    def report(self, report: Report) -> None:
        """Take a report; see the port."""
        self._observer.report(self._clean(report))

    def raise_if_canceled(self) -> None:
        """Return, or end the run; see the port."""
        self._observer.raise_if_canceled()


def redact_report(report: Report, secrets: frozenset[str]) -> Report:
    """Return a provider's report redacted: message, error, facts, and the recipe's facts."""
    video = report.video
    if video is not None:
        video = replace(video, recipe=redact_data(video.recipe, secrets))
    return replace(
        report,
        message=redact(report.message, secrets),
        error=None if report.error is None else redact(report.error, secrets),
        facts=redact_data(report.facts, secrets),
        video=video,
    )


@contextmanager
def redact_errors(secrets: Callable[[], frozenset[str]]) -> Iterator[None]:
    """Redact exceptions that leave the block, and their causes."""
    try:
        yield
    except Exception as error:
        known = secrets()
        for link in _chain(error):
            redact_error(link, known)
        raise


def redact_error(error: BaseException, secrets: frozenset[str]) -> None:
    """Take the secrets out of an exception, in place: its kind and traceback stay."""
    error.args = tuple(redact_data(arg, secrets) for arg in error.args)
    if isinstance(error, TioMagicError):
        error.message = redact(error.message, secrets)
        error.details = redact_data(error.details, secrets)
    if isinstance(error, OSError):
        # Its text is made of these, and not of its arguments.
        for name in ("strerror", "filename", "filename2"):
            said = getattr(error, name, None)
            # PyAV's errors read theirs from the arguments, which are clean, and let none be set.
            if isinstance(said, str) and (clean := redact(said, secrets)) != said:
                setattr(error, name, clean)
    notes = getattr(error, "__notes__", None)
    if notes:
        notes[:] = [redact(note, secrets) for note in notes]


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an exception and its causes, which a traceback shows too."""
    waiting, seen = [error], set()
    while waiting:
        link = waiting.pop()
        if link is None or id(link) in seen:
            continue
        seen.add(id(link))
        yield link
        waiting += [link.__cause__, link.__context__]
        if isinstance(link, BaseExceptionGroup):
            waiting += link.exceptions
