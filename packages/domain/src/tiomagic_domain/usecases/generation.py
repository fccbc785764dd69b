"""The use cases: submit, check, wait, cancel, list, get and rerun.

The rule that everything else follows from: a job is stored before its provider is called, its id
is the idempotency key, and what is not known for certain is looked up, never sent again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from tiomagic_domain.catalogue import ModelCard, find_feature, find_model, models
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job, JobQuery, JobStatus
from tiomagic_domain.jobs.tags import validate_tags
from tiomagic_domain.lifecycle.job_writer import JobWriter, ignore_change
from tiomagic_domain.lifecycle.observer import JobObserver, ignore_trouble, never_stop
from tiomagic_domain.lifecycle.outcome import OutcomeRecorder
from tiomagic_domain.ports.clock import POLL_INTERVAL_S, Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Provider, Request
from tiomagic_domain.progress import ProgressSink, ignore_progress
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.requests.rerun import adapt_arguments, merge_rerun_arguments
from tiomagic_domain.usecases.idempotency import IdempotencyKeys, validate_key
from tiomagic_domain.usecases.run import Execution, run_unlocked
from tiomagic_domain.usecases.tracking import JobTracker, find_provider
from tiomagic_domain.usecases.waiting import WaitDeadline
from tiomagic_domain.workers import Background, DeviceLock, Supervisor

__all__ = ["Generation"]


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
        background: What jobs need to run without their caller; None where none does.
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
        background: Background | None = None,
    ) -> None:
        self._providers = providers
        self._repository = repository
        self._clock = clock
        self._writer = JobWriter(repository, clock, on_change)
        self._keys = IdempotencyKeys(repository, self._writer)
        self._on_trouble = on_trouble
        self._background = background
        self._supervisor = Supervisor(background, self._writer) if background else None
        self._outcomes = OutcomeRecorder(repository, outputs, self._writer, on_trouble)
        self._tracker = JobTracker(
            providers=providers,
            repository=repository,
            outputs=outputs,
            writer=self._writer,
            settler=self._outcomes,
            on_trouble=on_trouble,
            supervisor=self._supervisor,
        )
        self._device_lock = DeviceLock(background, repository, on_trouble) if background else None
        self._execution = Execution(self._outcomes, on_trouble, self._supervisor)
        self._catalogue = catalogue
        self._preparation = preparation or Preparation(media, clock)

    def submit(  # noqa: PLR0913 - by keyword only, as the calls of the facade
        self,
        feature: Feature,
        *,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
        on_progress: ProgressSink = ignore_progress,
        detach: bool = False,
        retry: int = 0,
        tags: Sequence[str] = (),
        key: str | None = None,
    ) -> Job:
        """Validate a call, store its job, and hand it to the provider.

        Args:
            feature: What is asked for.
            provider: Who is to run it.
            model: Which model; None for the provider's default.
            arguments: Inputs and settings by name.
            on_progress: Told each moment while a blocking provider works.
            detach: Leave the run of a blocking provider to a worker process, and return at once.
            retry: How often a job that a worker runs may run again when its worker is lost.
            tags: The job is stored with them.
            key: The caller's own name for the call, kept as the job's ``idempotency_key``: the same
                key and the same call give the same job, whatever has become of it, and nothing is
                sent twice.

        Returns:
            The stored job: over, when the provider is a blocking one and ``detach`` is False; one
            that was found by its key is as it is.

        Raises:
            ValidationError, UnknownModelError, UnknownProviderError: nothing was stored. With the
                code ``key_reused`` when the key belongs to another call.
            TioMagicError: the job could not be run; it is stored as failed, and the error's
                details have its ``job_id``.
        """
        runner = find_provider(self._providers, provider)
        request = self._prepare_request(feature, provider, model, arguments)
        labelled = replace(request.job, tags=validate_tags(tags), idempotency_key=validate_key(key))
        request = replace(request, job=labelled)
        known = self._keys.find(request.job, arguments)
        if known is not None:
            return known
        runner.check(request)
        if detach and runner.capabilities().blocking:
            return self._enqueue(request, retry, arguments)
        if self._background is not None and self._background.runs_in_process(provider):
            # From the first moment: whoever looks later need not guess whether it is about to run.
            me = self._background.processes.current()
            request = replace(request, job=replace(request.job, call_id=me))
        first = self._keys.add(request.job, arguments)
        if first is not None:
            return first
        turn = self._device_lock.hold if self._device_lock else run_unlocked
        return self._start(runner, request, on_progress=on_progress, turn=turn)

    def plan(
        self,
        feature: Feature,
        *,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
    ) -> Request:
        """Validate a call and return what would be run. Nothing is stored, nothing runs.

        Raises:
            ValidationError, UnknownModelError, UnknownProviderError: as ``submit``.
            TioMagicError: when the provider could not run it, for whatever it can tell beforehand.
        """
        request = self._prepare_request(feature, provider, model, arguments)
        find_provider(self._providers, provider).check(request)
        return request

    def _prepare_request(
        self, feature: Feature, provider: str, model: str | None, arguments: Mapping[str, object]
    ) -> Request:
        """Return what a valid call comes to."""
        runner = find_provider(self._providers, provider)
        name = model or runner.capabilities().default_model
        card = find_model(name, feature, provider, catalogue=self._catalogue)
        return self._preparation.prepare(feature, card, provider, arguments)

    def run_job(self, job: Job, *, told_to_end: Callable[[], bool] = never_stop) -> Job:
        """Run a stored job that this process has taken from its queue, to its end.

        Args:
            job: Stored as running, with this process as its call id.
            told_to_end: Says whether this process is to end before the job is over.

        Raises:
            TioMagicError: when it failed; it is stored so.
        """
        done = self._outcomes.complete_if_saved(job)
        if done is not None:
            return done  # Its video is in place: only the record of that was lost.
        try:
            runner = find_provider(self._providers, job.provider)
            card = find_model(job.model, job.feature, job.provider, catalogue=self._catalogue)
            request = self._preparation.restore(job, card)
        except TioMagicError as error:
            self._execution.fail(job, error)
            raise
        return self._start(runner, request, told_to_end=told_to_end)

    def abandon(self, job: Job, *, told_to_end: bool) -> Job:
        """Store the end of a job whose process is about to end in the middle of it.

        Args:
            job: As it was when the process took it.
            told_to_end: True when the process was to end, False when the job was to stop.
        """
        return self._execution.abandon(job, told_to_end=told_to_end)

    def requeue(self, job: Job, error: Exception) -> None:
        """Let a job wait again that was stopped by a failure of the machine.

        Args:
            job: As it was when the process took it; one that it has no more is left alone.
            error: The failure.

        Raises:
            ProcessingError: when that cannot be stored now.
        """
        self._execution.requeue(job, error)

    def fail(self, job: Job, error: Exception) -> None:
        """Store that a job failed for a reason that is its own after all.

        Args:
            job: As it was when the process took it; one that another process has is left alone.
            error: The reason.
        """
        stored = self._repository.get(job.job_id)
        if stored.status is JobStatus.QUEUED or stored.call_id == job.call_id:
            self._outcomes.fail(job.job_id, error)

    def explain_waiting(self, queue: str) -> str | None:
        """Return why nobody takes the jobs of a queue at the moment; None when all is well."""
        return self._tracker.explain_waiting(queue)

    def _start(
        self,
        runner: Provider,
        request: Request,
        *,
        on_progress: ProgressSink = ignore_progress,
        told_to_end: Callable[[], bool] = never_stop,
        turn: Callable[[Job, JobObserver], AbstractContextManager[None]] = run_unlocked,
    ) -> Job:
        observer = JobObserver(
            request.job.job_id,
            writer=self._writer,
            repository=self._repository,
            clock=self._clock,
            on_progress=on_progress,
            on_trouble=self._on_trouble,
            told_to_end=told_to_end,
        )
        return self._execution.start(runner, request, observer, told_to_end, turn)

    def _enqueue(self, request: Request, retry: int, arguments: Mapping[str, object]) -> Job:
        """Store a job for a worker, and see that there is one."""
        if self._background is None or self._supervisor is None:
            raise ConfigurationError(
                "these parts cannot run a job without its caller: they lack leases",
                code="no_background",
            )
        # What a worker could not find is better told now.
        self._preparation.restore(request.job, request.card)
        queue = self._background.queue(request.job.provider)
        job = replace(request.job, queue=queue, retry=retry, message="waits for a worker")
        first = self._keys.add(job, arguments)
        if first is not None:
            return first
        try:
            why = self._supervisor.ensure_worker(queue, job.job_id)
        except ConfigurationError as error:
            self._outcomes.fail(job.job_id, error)
            raise
        return job if why is None else self._tracker.store_waiting_reason(job, why)

    def get(self, job_id: str) -> Job:
        """Return a job as it is stored.

        Raises:
            ResourceNotFoundError: when there is no such job.
        """
        return self._repository.get(job_id)

    def list(self, query: JobQuery) -> list[Job]:
        """Return stored jobs, newest first; the first time, after a look for dead workers."""
        self._tracker.recover_once()
        return self._repository.list(query)

    def check(self, job_id: str) -> Job:
        """Ask the provider how a job is, bring its video home when it is done, and store the news.

        When the provider cannot be reached the job stays as it is, with a message.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ProcessingError: when the video cannot be written; the next check tries again.
        """
        return self._tracker.check(job_id)

    def recover(self) -> Sequence[Job]:
        """Look at every job that is not over, as after a crash or a restart of the machine.

        Jobs of dead workers fail or run again, jobs far away are followed, videos that are done
        are brought home, queues with jobs in them get a worker, and what dead processes have left
        half-written goes.

        Returns:
            The jobs that have changed by it, oldest first. What went wrong with one of them is told
            to ``on_trouble``, and the next one is looked at.
        """
        return self._tracker.recover()

    def wait(
        self,
        job_id: str,
        *,
        timeout: float | None = None,
        poll: float = POLL_INTERVAL_S,
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
        patience = WaitDeadline(self._clock.monotonic, timeout=timeout, poll=poll)
        while True:
            job = self.check(job_id)
            if job.status.is_terminal:
                return job
            if job.progress is not None:
                on_progress(job.progress)
            self._clock.sleep(patience.next_pause(job))

    def cancel(self, job_id: str, *, lost: bool = False) -> Job:
        """Ask for a job to stop and store the outcome. A finished job stays as it is.

        Args:
            job_id: Which job.
            lost: End a job whose run is gone for good, such as that of a machine that will not
                come back: nobody is asked, and what its process held is free.

        Raises:
            ResourceNotFoundError: when there is no such job.
            ValidationError: when it is ``lost``, and its run was seen just now.
            APIError: when the provider cannot be asked; the job stays ``canceling``, and the next
                call asks again.
        """
        return self._tracker.cancel_lost(job_id) if lost else self._tracker.cancel(job_id)

    def rerun(
        self,
        recipe: Mapping[str, Any],
        *,
        overrides: Mapping[str, object],
        provider: str | None = None,
        model: str | None = None,
        on_progress: ProgressSink = ignore_progress,
        detach: bool = False,
        retry: int = 0,
        key: str | None = None,
    ) -> Job:
        """Run a recipe again, with the same seed unless another is given.

        Args:
            recipe: ``feature``, ``model``, ``provider``, ``required_args`` and ``optional_args``;
                what ``build_recipe`` gives, or the same fields of a stored job.
            overrides: Arguments that replace those of the recipe; None takes one away.
            provider: Who is to run it; None for the recipe's own.
            model: Another model than the recipe's; what the first one's defaults filled in, and
                what the other does not take, is left to the other's defaults.
            on_progress: Told each moment while a blocking provider works.
            detach: As for ``submit``.
            retry: As for ``submit``.
            key: As for ``submit``.
        """
        feature, before = find_feature(str(recipe["feature"])), str(recipe["model"])
        card = find_model(model or before, feature, catalogue=self._catalogue)
        kept = {**recipe["required_args"], **recipe["optional_args"]}
        if card.name != before:
            known = models() if self._catalogue is None else self._catalogue
            kept = adapt_arguments(kept, feature, known.get(before), card)
        arguments = merge_rerun_arguments(card.turbo, card.schema(feature), kept, overrides)
        return self.submit(
            feature,
            provider=provider or str(recipe["provider"]),
            model=card.name,
            arguments={name: value for name, value in arguments.items() if value is not None},
            on_progress=on_progress,
            detach=detach,
            retry=retry,
            key=key,
        )
