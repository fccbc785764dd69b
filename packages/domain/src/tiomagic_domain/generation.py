"""The use cases: submit, check, wait, cancel, list, get and rerun.

The rule that everything else follows from: a job is stored before its provider is called, its id
is the idempotency key, and what is not known for certain is looked up, never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from tiomagic_domain.catalogue import ModelCard, find_feature, find_model
from tiomagic_domain.errors import (
    APIError,
    GenerationCanceledError,
    ProcessingError,
    TioMagicError,
    UnknownProviderError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs import Job, JobQuery, JobStatus
from tiomagic_domain.observation import JobObserver, ignore_trouble
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Provider, Report, Request
from tiomagic_domain.preparation import Preparation
from tiomagic_domain.progress import ProgressSink, ignore_progress
from tiomagic_domain.reports import apply_report, ask_to_stop
from tiomagic_domain.suggestions import did_you_mean, listed
from tiomagic_domain.waiting import Patience
from tiomagic_domain.writing import JobWriter, ignore_change

ANSWER_LOST = "answer_lost"
"""Code of the error that says: the job may or may not have started."""


class Generation:
    """The use cases over a set of ports.

    Args:
        providers: Who can run jobs, by name. A mapping that builds them when asked is welcome.
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        media: Reads pictures and videos.
        clock: The time.
        on_change: Told every stored change of a job, except steps within a phase.
        on_trouble: Told what went wrong without stopping a run.
        catalogue: The models that can be asked for; every known one when left out.
        preparation: Turns arguments into requests; made from the other parts when left out.
    """

    def __init__(  # noqa: PLR0913 - by keyword only, one for each part
        self,
        *,
        providers: Mapping[str, Provider],
        repository: JobRepository,
        outputs: OutputStore,
        media: MediaReader,
        clock: Clock,
        on_change: Callable[[Job], None] = ignore_change,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        catalogue: Mapping[str, ModelCard] | None = None,
        preparation: Preparation | None = None,
    ) -> None:
        self._providers = providers
        self._repository = repository
        self._outputs = outputs
        self._clock = clock
        self._writer = JobWriter(repository, clock, on_change)
        self._on_trouble = on_trouble
        self._catalogue = catalogue
        self._preparation = preparation or Preparation(media, clock)

    def submit(
        self,
        feature: Feature,
        *,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
        on_progress: ProgressSink = ignore_progress,
    ) -> Job:
        """Validate a call, store its job, and hand it to the provider.

        Args:
            feature: What is asked for.
            provider: Who is to run it.
            model: Which model; None for the provider's default.
            arguments: Inputs and settings by name.
            on_progress: Told each moment while a blocking provider works.

        Returns:
            The stored job: over, when the provider is a blocking one.

        Raises:
            ValidationError, UnknownModelError, UnknownProviderError: nothing was stored.
            TioMagicError: the job could not be run; it is stored as failed, and the error's
                details have its ``job_id``.
        """
        runner = self._provider(provider)
        name = model or runner.capabilities().default_model
        card = find_model(name, feature, provider, catalogue=self._catalogue)
        request = self._preparation.prepare(feature, card, provider, arguments)
        runner.check(request)
        job = request.job
        self._writer.add(job)
        observer = JobObserver(
            job.job_id,
            writer=self._writer,
            repository=self._repository,
            clock=self._clock,
            on_progress=on_progress,
            on_trouble=self._on_trouble,
        )
        return self._start(runner, request, observer)

    def _start(self, runner: Provider, request: Request, observer: JobObserver) -> Job:
        job_id = request.job.job_id
        try:
            report = runner.submit(request, observer)
        except GenerationCanceledError as error:
            report = Report(status=JobStatus.CANCELED, message=error.message)
        except APIError as error:
            if error.code != ANSWER_LOST:
                self._fail(job_id, error)
                raise
            report = Report(status=JobStatus.QUEUED, message=error.message)
        except KeyboardInterrupt:
            # A run in this process ends with it; one far away may have started and is looked up.
            if runner.capabilities().blocking:
                self._apply(job_id, Report(status=JobStatus.CANCELED, message="interrupted"))
            raise
        except Exception as error:
            self._fail(job_id, error)
            raise
        return self._stop_if_unwanted(runner, self._apply(job_id, report), report)

    def get(self, job_id: str) -> Job:
        """Return a job as it is stored.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        return self._repository.get(job_id)

    def list(self, query: JobQuery) -> list[Job]:
        """Return stored jobs, newest first."""
        return self._repository.list(query)

    def check(self, job_id: str) -> Job:
        """Ask the provider how a job is, bring its video home when it is done, and store the news.

        When the provider cannot be reached the job stays as it is, with a message.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the video cannot be written; the next check tries again.
        """
        job = self._repository.get(job_id)
        if job.status.is_terminal:
            return job
        saved = self._outputs.find(job)
        if saved is not None:
            # Whoever put it there died before it could tell.
            facts = saved.recipe.get("facts")
            known = facts if isinstance(facts, dict) else {}
            report = Report(status=JobStatus.COMPLETED, message="completed", facts=known)
            return self._complete(job_id, report, saved.path)
        try:
            report = self._provider(job.provider).poll(job)
        except APIError as error:
            if not error.retryable:
                raise
            report = Report(status=job.status, message=error.message)
        return self._apply(job_id, report)

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        poll: float = 2.0,
        on_progress: ProgressSink = ignore_progress,
    ) -> Job:
        """Check a job until it is over and return it, whatever its end.

        Args:
            job_id: Which job.
            timeout: Seconds to wait at the most; None for no bound.
            poll: Seconds between two checks.
            on_progress: Told each moment that a check brings.

        Raises:
            JobTimeoutError: when the time is up. The job goes on.
            ValidationError: when ``timeout`` or ``poll`` is below 0.
        """
        patience = Patience(self._clock.monotonic, timeout=timeout, poll=poll)
        while True:
            job = self.check(job_id)
            if job.status.is_terminal:
                return job
            if job.progress is not None:
                on_progress(job.progress)
            self._clock.sleep(patience.pause(job))

    def cancel(self, job_id: str) -> Job:
        """Ask for a job to stop and store the outcome. A finished job stays as it is.

        Raises:
            ResourceNotFoundError: when there is no such job.
            APIError: when the provider cannot be asked; the job stays ``canceling``, and the next
                call asks again.
        """
        job = self._writer.change(job_id, lambda job, at: ask_to_stop(job, at=at))
        if job.status.is_terminal:
            return job
        return self._apply(job_id, self._provider(job.provider).cancel(job))

    def rerun(
        self,
        recipe: Mapping[str, Any],
        *,
        overrides: Mapping[str, object],
        provider: str | None = None,
        on_progress: ProgressSink = ignore_progress,
    ) -> Job:
        """Run a recipe again, with the same seed unless another is given.

        Args:
            recipe: ``feature``, ``model``, ``provider``, ``required_args`` and ``optional_args``;
                what ``build_recipe`` gives, or the same fields of a stored job.
            overrides: Arguments that replace those of the recipe; None takes one away.
            provider: Who is to run it; None for the recipe's own.
            on_progress: Told each moment while a blocking provider works.
        """
        arguments = {**recipe["required_args"], **recipe["optional_args"], **overrides}
        return self.submit(
            find_feature(str(recipe["feature"])),
            provider=provider or str(recipe["provider"]),
            model=str(recipe["model"]),
            arguments={name: value for name, value in arguments.items() if value is not None},
            on_progress=on_progress,
        )

    def _provider(self, name: str) -> Provider:
        if name not in self._providers:
            hint = did_you_mean(name, self._providers)
            raise UnknownProviderError(
                f"there is no provider {name!r}.{hint} Providers: {listed(self._providers)}",
                details={"provider": name, "known": sorted(self._providers)},
            )
        return self._providers[name]

    def _apply(self, job_id: str, report: Report) -> Job:
        """Store a provider's word, and the video that may come with it."""
        if report.status is not JobStatus.COMPLETED:
            return self._writer.change(job_id, lambda job, at: apply_report(job, report, at=at))
        job = self._repository.get(job_id)
        if report.video is None:
            raise ProcessingError(f"the provider says job {job_id} is done, but gave no video")
        if job.status.is_terminal:
            # Another process has brought the video home: this copy of it is not needed.
            report.video.path.unlink(missing_ok=True)
            return job
        try:
            path = self._outputs.save(job, report.video)
        except ProcessingError as error:
            message = f"the video is finished but could not be saved: {error.message}"
            kept = Report(status=job.status, message=message)
            job = self._writer.change(job_id, lambda job, at: apply_report(job, kept, at=at))
            if job.status is JobStatus.COMPLETED:
                return job  # Another process was faster, and took the file with it.
            error.details.setdefault("job_id", job_id)
            raise
        return self._complete(job_id, report, path)

    def _complete(self, job_id: str, report: Report, path: Path) -> Job:
        return self._writer.change(
            job_id, lambda job, at: apply_report(job, report, at=at, result_video=str(path))
        )

    def _fail(self, job_id: str, error: Exception) -> None:
        message, code = f"{type(error).__name__}: {error}", "unexpected"
        if isinstance(error, TioMagicError):
            message, code = error.message, error.code
            error.details.setdefault("job_id", job_id)
        try:
            self._apply(job_id, Report(status=JobStatus.FAILED, error=message, error_code=code))
        except ProcessingError as trouble:
            # The caller has to hear why the job failed, and not that this could not be stored.
            self._on_trouble(trouble)

    def _stop_if_unwanted(self, runner: Provider, job: Job, report: Report) -> Job:
        """Stop a run that somebody canceled while its submission was under way."""
        wanted = job.status in {JobStatus.QUEUED, JobStatus.RUNNING}
        if wanted or report.status.is_terminal:
            return job
        try:
            return self._apply(job.job_id, runner.cancel(replace(job, call_id=report.call_id)))
        except APIError as error:
            self._on_trouble(error)
            return job
