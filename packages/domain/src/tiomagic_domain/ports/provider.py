"""Port: the provider, which runs jobs: submit, poll, cancel, capabilities."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import VideoFile
from tiomagic_domain.money.cost import COST, Cost
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.money.listed_price import ListedPrice
from tiomagic_domain.ports.known_runs import KnownRuns, estimate_from_cost
from tiomagic_domain.ports.preflight import RunConditions
from tiomagic_domain.ports.rehearsal import Rehearsal
from tiomagic_domain.ports.request import Request
from tiomagic_domain.progress import Preview, Progress

__all__ = [
    "QUEUE_POSITION",
    "RETRY_AFTER",
    "RUN_GONE",
    "Capabilities",
    "Observer",
    "Provider",
    "ProviderBase",
    "Report",
    "Request",
    "RunDescription",
    "find_answers",
    "runs_any_model",
]

RUN_GONE = frozenset({ErrorCode.LOST, ErrorCode.WORKER_LOST})
"""Error codes of a job whose run is lost and has made no video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """What a request would run on, and what it would cost."""

    device: str | None = None
    """Such as ``cuda:0`` or ``H100``; None for a machine of the provider's choice."""
    cost: Cost | None = None
    """An estimate; None when it is not known, or nothing."""


QUEUE_POSITION: Final = "queue_position"
"""Fact of a job: its last known queue position, the runs that the service starts before it."""
RETRY_AFTER: Final = "retry_after_s"
"""Fact of a job: the last known ``retry_after``, the seconds until the next poll."""
SENDER: Final = "sender"
"""Fact of a job: the process that is sending it; gone when it is sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A provider's report on a job."""

    status: JobStatus
    call_id: str | None = None
    """The provider's name for the run; None for no news."""
    message: str = ""
    """For the user; empty for the error's text, or for no news."""
    progress: Progress | None = None
    """None leaves what is known."""
    video: VideoFile | None = None
    """The finished video; given when, and only when, the status is ``completed``."""
    error: str | None = None
    """Why it failed; given when the status is ``failed``."""
    error_code: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Merged into the stored facts."""
    is_reachable: bool = True
    """False when the run could not be seen: the status is then the last known one."""
    logs: str | None = None
    """The run's output so far, or its end; None for no news."""
    queue_position: int | None = None
    """Queue position: the runs that the service starts before this one; None if unknown."""
    cost: Cost | None = None
    """The cost of the run so far; None for no news."""
    retry_after: float | None = None
    """Seconds after which it is worth asking again; None for the caller's own interval."""
    ends_sending: bool = False
    """True for the last report of a submission: no process sends the job any more."""

    def update_facts(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return a job's facts with this report merged into them."""
        is_sent = self.call_id is not None or self.status.is_terminal or self.ends_sending
        old = {QUEUE_POSITION, RETRY_AFTER, *([SENDER] if is_sent else [])}
        kept = {k: v for k, v in known.items() if k not in old}
        cost = None if self.cost is None else self.cost.to_dict()
        said = {QUEUE_POSITION: self.queue_position, RETRY_AFTER: self.retry_after, COST: cost}
        return {**kept, **self.facts, **{k: v for k, v in said.items() if v is not None}}


def runs_any_model(_card: ModelCard) -> bool:
    """Say that a provider can be asked for any model; its ``check`` may refuse some."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """Static properties of a provider, known without contacting it."""

    default_model: str
    """The model that runs when none is named."""
    blocking: bool
    """True when ``submit`` returns only when the job is over."""
    runs: Callable[[ModelCard], bool] = runs_any_model
    """Says whether it can run a model; all models by default."""
    batch_concurrency: int = 4
    """Jobs of a batch that are there at once, unless the caller says how many."""
    other_defaults: Mapping[Feature, str] = field(default_factory=dict)
    """The model that runs when none is named, of features that ``default_model`` cannot do."""

    def find_default(self, feature: Feature | None = None) -> str:
        """Return the model that runs when none is named.

        Args:
            feature: What is to be made; None for most of what the provider can do.
        """
        return (
            self.other_defaults.get(feature, self.default_model) if feature else self.default_model
        )


class Observer(Protocol):
    """Receives the reports of a running submission, and says whether to stop."""

    def report(self, report: Report) -> None:
        """Take an intermediate report. Never raises for a failed write."""
        ...

    def raise_if_canceled(self) -> None:
        """Return, or raise to end the submission.

        Raises:
            GenerationCanceledError: when the job was canceled.
        """
        ...


class Provider(Protocol):
    """Runs jobs: in this process, on this machine, or remotely."""

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        ...

    def capabilities(self) -> Capabilities:
        """Return the provider's properties; loads nothing heavy and makes no request."""
        ...

    def check(self, request: Request) -> None:
        """Raise if the job cannot run, before it is stored and before it costs anything.

        Raises:
            ConfigurationError, AuthenticationError, ValidationError: with advice.
        """
        ...

    def submit(self, request: Request, observer: Observer) -> Report:
        """Start a job; a blocking provider runs it to its end.

        Idempotent by ``request.job.job_id``: a second submission of the same id starts nothing new.

        Returns:
            A report with ``queued`` or ``running`` and a call id, or with the job's terminal
            status.

        Raises:
            APIError: with the code ``answer_lost`` when the job may or may not have started; it is
                looked up by ``poll`` later and never submitted again.
            TioMagicError: when it did not start, or failed. The job is then stored as failed and
                the error raised to the caller.
        """
        ...

    def poll(self, job: Job) -> Report:
        """Return the state of a job, which is found by its id if its call id is not known.

        A job without a run, which cannot start any more, has ``failed`` with the error code
        ``lost``. After the end each poll returns the same report, with the video until the output
        store has taken it.

        Raises:
            APIError: with ``retryable`` when the provider cannot be reached; the job stays
                unchanged.
        """
        ...

    def cancel(self, job: Job) -> Report:
        """Cancel exactly this job. Idempotent.

        Returns:
            A report with ``canceling``, or with the job's terminal status if known.

        Raises:
            APIError: with ``retryable`` when the service cannot be reached.
        """
        ...


class ProviderBase:
    """Base of a provider with optional methods; each has a default.

    A provider without this base has only the methods of :class:`Provider`.
    """

    def describe(self, request: Request) -> RunDescription:  # noqa: ARG002 - for who overrides it
        """Return the device and cost of a request. Makes no request and starts nothing."""
        return RunDescription()

    def estimate(self, request: Request, known: KnownRuns) -> Estimate:
        """Return what a request is expected to take and to cost. Makes no request, starts nothing.

        Args:
            request: The call. A form that is being filled in has not all of its inputs yet.
            known: The newest runs of its model here, and how long they say that it takes.

        Returns:
            By default the time, and the cost of ``describe``.
        """
        return estimate_from_cost(self.describe(request).cost, known.time)

    def list_prices(self, card: ModelCard, feature: Feature) -> list[ListedPrice]:  # noqa: ARG002
        """Return what runs of a model cost, by the kind of call. Makes no request.

        Returns:
            Empty where nothing is billed by a list, or where the list is not known.
        """
        return []

    def preflight(
        self,
        card: ModelCard,  # noqa: ARG002 - for who overrides it
        settings: Mapping[str, Any],  # noqa: ARG002 - the same
    ) -> RunConditions:
        """Return what a run meets here and what it needs, in a fraction of a second.

        Makes no request, writes nothing and loads no model. It is asked of many models in a row.

        Args:
            card: The model.
            settings: Optional arguments of the run; what is left out has the model's defaults.

        Returns:
            What is known; by default nothing, and then nothing is refused.
        """
        return RunConditions()

    def ask_ahead(self, request: Request) -> None:
        """Find out whether what a run downloads can be had, before the run is stored.

        May ask the network, for a few seconds at most, and only for what is not here. Loads no
        model.

        Args:
            request: What is about to run.

        Raises:
            AuthenticationError, APIError, ConfigurationError: when it cannot be had.
        """

    def rehearse(self, model: str, settings: Mapping[str, Any] | None = None) -> Rehearsal:  # noqa: ARG002
        """Check all that a real run needs, and run the model with random weights.

        Args:
            model: Its name.
            settings: Of the run that is meant, checked, beside the model's defaults; left out where
                there are none. Those that decide about memory count.

        Raises:
            ConfigurationError: when the provider cannot rehearse models.
            UnknownModelError: when there is no such model.
        """
        raise ConfigurationError(
            f"this provider rehearses no models: {model!r} can be rehearsed on another one",
            details={"model": model},
        )

    def preview(self, job: Job) -> Preview:  # noqa: ARG002 - for who overrides it
        """Return the newest preview of a job, and have its run draw previews from now on.

        A run draws none before it was asked for one. It is asked about once a second while someone
        looks, so it takes milliseconds. May be asked before the job is submitted.

        Args:
            job: One that is not over.
        """
        return Preview(reason="no preview: this provider draws none")

    def unload(self) -> None:
        """Free the memory of loaded models. Idempotent."""


def find_answers(provider: Provider) -> ProviderBase:
    """Return a provider's optional methods; the defaults if it lacks the base."""
    return provider if isinstance(provider, ProviderBase) else ProviderBase()
