"""Port: what runs a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Final, Protocol, Self

from tiomagic_domain.catalogue import ModelCard
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError
from tiomagic_domain.features import (
    Feature,
    ImageToVideoInputs,
    Inputs,
    InterpolateInputs,
    PoseGuidanceInputs,
    TextToVideoInputs,
)
from tiomagic_domain.jobs.job import Job, JobStatus
from tiomagic_domain.media import Media, VideoFile
from tiomagic_domain.ports.rehearsal import Rehearsal
from tiomagic_domain.progress import Progress


@dataclass(frozen=True, kw_only=True)
class Request:
    """A validated job with its inputs at hand: all that a call carries from here to the model."""

    job: Job
    card: ModelCard
    media: Mapping[str, Media] = field(default_factory=dict)
    """The pictures and videos by parameter name."""
    objects: Mapping[str, object] = field(default_factory=dict)
    """Arguments that are objects of this process; the job has a description of each."""
    urls: Mapping[str, str] = field(default_factory=dict)
    """Where the provider has uploaded pictures and videos, by parameter name. In no record."""

    def with_uploads(self, upload: Callable[[Media], str]) -> Self:
        """Return the request with an address for each picture and video, each uploaded once.

        A service that takes media as bytes needs no address: ``media[name].read_bytes()``.

        Args:
            upload: Puts a file where the service reads it, and returns its URL.
        """
        files = {media.sha256: media for media in self.media.values()}
        urls = {digest: upload(media) for digest, media in files.items()}
        return replace(self, urls={name: urls[m.sha256] for name, m in self.media.items()})

    @property
    def feature(self) -> Feature:
        """What is asked for."""
        return self.job.feature

    @cached_property
    def settings(self) -> Mapping[str, Any]:
        """The optional arguments that are not media, with every default and the seed."""
        plain = {k: v for k, v in self.job.optional_args.items() if k not in self.media}
        return {**plain, **self.objects}

    @cached_property
    def inputs(self) -> Inputs:
        """The feature's inputs, typed."""
        prompt = str(self.job.required_args["prompt"])
        match self.feature:
            case Feature.TEXT_TO_VIDEO:
                return TextToVideoInputs(prompt=prompt)
            case Feature.IMAGE_TO_VIDEO:
                return ImageToVideoInputs(prompt=prompt, image=self.media["image"])
            case Feature.INTERPOLATE:
                return InterpolateInputs(
                    prompt=prompt,
                    first_frame=self.media["first_frame"],
                    last_frame=self.media["last_frame"],
                )
            case Feature.POSE_GUIDANCE:
                return PoseGuidanceInputs(
                    prompt=prompt,
                    image=self.media["image"],
                    guiding_video=self.media.get("guiding_video"),
                    pose_video=self.media.get("pose_video"),
                )


RUN_GONE = frozenset({ErrorCode.LOST, ErrorCode.WORKER_LOST})
"""Error codes of a job whose run is not there, and has made no video."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What something costs, as far as the provider can tell."""

    amount: float
    currency: str = "USD"
    """ISO 4217."""
    per: str = "run"
    """``run`` for all of it, or the unit that is counted, such as ``hour``."""

    def to_dict(self) -> dict[str, object]:
        """Return plain data."""
        return {"amount": self.amount, "currency": self.currency, "per": self.per}


@dataclass(frozen=True, slots=True, kw_only=True)
class RunDescription:
    """What a request would run on, and what it would cost."""

    device: str | None = None
    """Such as ``cuda:0`` or ``H100``; None for a machine of the provider's choice."""
    cost: Cost | None = None
    """An estimate; None when it is not known, or nothing."""


QUEUE_POSITION: Final = "queue_position"
"""Fact of a job: how many runs the service starts before it, as it last said."""
RETRY_AFTER: Final = "retry_after_s"
"""Fact of a job: after how many seconds the service wants to be asked again, as it last said."""
COST: Final = "cost"
"""Fact of a job: what its run costs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A provider's word on a job."""

    status: JobStatus
    call_id: str | None = None
    """The provider's name for the run; None leaves what is known."""
    message: str = ""
    """For a person; empty stands for the error, or leaves what is known."""
    progress: Progress | None = None
    """None leaves what is known."""
    video: VideoFile | None = None
    """The finished video; given when, and only when, the status is ``completed``."""
    error: str | None = None
    """Why it failed; given when the status is ``failed``."""
    error_code: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    """Joined to what is known."""
    is_reachable: bool = True
    """False when nobody could look at the run: the status is what was known before."""
    logs: str | None = None
    """All that the run has printed so far, or the end of it; None leaves what is known."""
    queue_position: int | None = None
    """How many runs the service starts before this one; None when it does not say."""
    cost: Cost | None = None
    """What the run costs so far; None leaves what is known."""
    retry_after: float | None = None
    """Seconds after which it is worth asking again; None for the caller's own interval."""

    def update_facts(self, known: Mapping[str, Any]) -> dict[str, Any]:
        """Return a job's facts with this word joined to them."""
        kept = {k: v for k, v in known.items() if k not in {QUEUE_POSITION, RETRY_AFTER}}
        cost = None if self.cost is None else self.cost.to_dict()
        said = {QUEUE_POSITION: self.queue_position, RETRY_AFTER: self.retry_after, COST: cost}
        return {**kept, **self.facts, **{k: v for k, v in said.items() if v is not None}}


def runs_any_model(_card: ModelCard) -> bool:
    """Say that a provider can be asked for any model; its ``check`` may refuse some."""
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What a provider is like, told without contacting it."""

    default_model: str
    """The model that runs when none is named."""
    blocking: bool
    """True when ``submit`` returns only when the job is over."""
    runs: Callable[[ModelCard], bool] = runs_any_model
    """Says whether it can run a model; every one when nothing is said."""


class Observer(Protocol):
    """The caller's end of a running submission."""

    def report(self, report: Report) -> None:
        """Take a word on the job that is not the last one. Never raises for a lost write."""
        ...

    def raise_if_canceled(self) -> None:
        """Return, or end the submission.

        Raises:
            GenerationCanceledError: when somebody asked for the job to stop.
        """
        ...


class Provider(Protocol):
    """Runs jobs: in this process, on this machine, or far away."""

    @property
    def name(self) -> str:
        """The provider's name in jobs and settings."""
        ...

    def capabilities(self) -> Capabilities:
        """Return what the provider is like; loads nothing heavy and contacts nobody."""
        ...

    def check(self, request: Request) -> None:
        """Look for reasons why the job cannot run, before it is stored and before it costs.

        Raises:
            ConfigurationError, AuthenticationError, ValidationError: with what would help.
        """
        ...

    def submit(self, request: Request, observer: Observer) -> Report:
        """Start a job, and for a blocking provider see it to its end.

        ``request.job.job_id`` is the idempotency key: a second submission of the same id starts
        nothing new.

        Returns:
            ``queued`` or ``running`` with a call id, or the end of the job.

        Raises:
            APIError: with the code ``answer_lost`` when the job may or may not have started; it is
                looked up by ``poll`` later and never sent again.
            TioMagicError: when it did not start, or failed on the way. The job is then stored as
                failed and the error goes to the caller.
        """
        ...

    def poll(self, job: Job) -> Report:
        """Ask how a job is; it is found by its id when its call id is not known.

        A job whose run is not there, and cannot be on its way any more, has ``failed`` with the
        error code ``lost``. The end is told as often as it is asked for, with the video until the
        output store has taken it.

        Raises:
            APIError: with ``retryable`` when nobody could be asked; the job is left as it is.
        """
        ...

    def cancel(self, job: Job) -> Report:
        """Ask for exactly this job to stop.

        Returns:
            ``canceling`` when the stop was asked for, or the end of the job when it is known.

        Raises:
            APIError: with ``retryable`` when nobody could be asked.
        """
        ...


class ProviderBase:
    """Base of a provider that answers more than it must; each answer has a default.

    A provider without it has the methods of :class:`Provider` alone.
    """

    def describe(self, request: Request) -> RunDescription:  # noqa: ARG002 - for who overrides it
        """Return what a request would run on and cost. Contacts no service and starts nothing."""
        return RunDescription()

    def rehearse(self, model: str) -> Rehearsal:
        """Look at all that a real run needs, and run the model with random weights.

        Args:
            model: Its name.

        Raises:
            ConfigurationError: when the provider cannot.
            UnknownModelError: when there is no such model.
        """
        raise ConfigurationError(
            f"this provider rehearses no models: {model!r} can be rehearsed on another one",
            details={"model": model},
        )

    def unload(self) -> None:
        """Free the memory of models that are kept loaded; harmless when there is none."""


def find_answers(provider: Provider) -> ProviderBase:
    """Return what a provider answers beyond its port; the defaults where it has no base."""
    return provider if isinstance(provider, ProviderBase) else ProviderBase()
