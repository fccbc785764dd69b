"""Use cases that submit jobs: submit, plan, look ahead and rerun.

The main rule: a job is stored before its provider is called, its id is the idempotency key, and a
submission with an unknown result is looked up, never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

from tiomagic_domain.catalogue import ModelCard, find_feature, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    AuthenticationError,
    ConfigurationError,
    TioMagicError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.tags import validate_tags
from tiomagic_domain.lifecycle.finishing import VideoFinisher, keep_as_it_is
from tiomagic_domain.lifecycle.job_updater import ignore_change, ignore_trouble
from tiomagic_domain.money.estimate import ESTIMATE
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import CountOperations, count_nothing
from tiomagic_domain.ports.mask_reader import MaskReader
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Provider, Request, find_answers
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.ports.video_joiner import VideoJoiner
from tiomagic_domain.preflight.judgement import TOKEN
from tiomagic_domain.preflight.preflight import Preflight
from tiomagic_domain.progress import ProgressSink, ignore_progress
from tiomagic_domain.requests.continuing import feature_to_serve, loop_as_interpolation
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.requests.rerun import RerunCall, build_rerun_call
from tiomagic_domain.usecases.consent import AcceptedTerms, accept_nothing, require_consent
from tiomagic_domain.usecases.idempotency import IdempotencyKeys, validate_key
from tiomagic_domain.usecases.interruptions import say_canceled
from tiomagic_domain.usecases.preflight import PreflightChecks
from tiomagic_domain.usecases.running import JobRuns
from tiomagic_domain.usecases.tracking import find_provider
from tiomagic_domain.workers import Background, DeviceLock
from tiomagic_domain.workers.waiting_reasons import WAITING_MESSAGE

__all__ = ["Generation"]


class Generation(JobRuns):
    """All use cases on jobs: those of ``JobRuns``, and submitting and planning them.

    Attributes:
        preflight: Says what a run would take; ``submit`` refuses with it what cannot work.

    Args:
        providers: The providers by name; a lazy mapping may build them on demand.
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        media: Reads pictures and videos.
        clock: The time.
        on_change: Called with every stored change of a job, except steps within a phase.
        on_trouble: Called with errors that do not stop a run.
        catalogue: The available models; all known ones when left out.
        preparation: Turns arguments into requests; built from the other parts when left out.
        background: The parts of background jobs; None without them.
        joiner: Joins videos that go on; None where none can be continued.
        accepted: Names of the models whose terms are accepted; none when left out.
        masks: Looks into masks before a run; None where none can be read.
        count_operations: Counts the work of a run, for its time where none was measured.
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
        joiner: VideoJoiner | None = None,
        accepted: AcceptedTerms = accept_nothing,
        masks: MaskReader | None = None,
        count_operations: CountOperations = count_nothing,
    ) -> None:
        super().__init__(
            providers=providers,
            repository=repository,
            outputs=outputs,
            clock=clock,
            preparation=preparation or Preparation(media, clock, joiner=joiner, masks=masks),
            on_change=on_change,
            on_trouble=on_trouble,
            catalogue=catalogue,
            background=background,
            finish=VideoFinisher(media, joiner).finish if joiner else keep_as_it_is,
        )
        self._keys = IdempotencyKeys(repository, self._updater)
        self._device_lock = DeviceLock(background, repository, on_trouble) if background else None
        self.preflight: PreflightChecks = PreflightChecks(
            providers,
            repository,
            catalogue=catalogue,
            on_trouble=on_trouble,
            accepted=accepted,
            now=clock.now,
            count_operations=count_operations,
        )
        self._accepted = accepted

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
        rerun: RerunCall | None = None,
        force: bool = False,
        accepted: Collection[str] = (),
        preview: bool = False,
    ) -> Job:
        """Validate a call, store its job, and submit it to the provider.

        Args:
            feature: What is asked for.
            provider: Who is to run it.
            model: Which model; None for the provider's default.
            arguments: Inputs and settings by name.
            on_progress: Gets each progress event while a blocking provider works.
            detach: True to let a worker process run a blocking provider's job, and return at once.
            retry: How often a worker's job may run again after its worker was lost.
            tags: Of the job.
            key: The caller's idempotency key: the same call with it gives the same job again.
            rerun: The repeated call that the arguments are of; None for a call of the user.
            force: True to run also what the preflight says cannot work.
            accepted: Models whose terms are accepted for this call, beside those accepted for all.
            preview: True to have the run draw previews from its first steps on.

        Returns:
            The stored job. It is over if the provider is blocking and ``detach`` is False; a job
            that was found by its key is returned unchanged.

        Raises:
            ValidationError, UnknownModelError, UnknownProviderError: nothing was stored. With the
                code ``key_reused`` when the key belongs to another call.
            ConfigurationError: nothing was stored. ``does_not_fit``: it cannot work at the
                provider. ``terms_not_accepted``, forced or not: its model waits for a consent.
            TioMagicError: it could not be run. The job, ``job_id`` in the details, is ``failed``.
        """
        runner = find_provider(self._providers, provider)
        request = self._prepare_request(feature, provider, model, arguments, rerun)
        labelled = replace(request.job, tags=validate_tags(tags), idempotency_key=validate_key(key))
        request = replace(request, job=labelled)
        # Before the checks: a repeated call gets its job even if it would be refused now.
        known = self._keys.find(request.job, arguments)
        if known is not None:
            return known
        require_consent(request.card, {*self._accepted(), *accepted})
        self._refuse(runner, request, force=force)
        request = self._with_estimate(request)
        if preview:
            self.preview(request.job)
        if detach and runner.capabilities().blocking:
            return self._enqueue(request, retry, arguments)
        # A provider with workers of its own reads from the job how often it may run again.
        request = replace(request, job=replace(request.job, retry=retry))
        return self._run_new(runner, request, arguments, on_progress)

    def _run_new(
        self,
        runner: Provider,
        request: Request,
        arguments: Mapping[str, object],
        on_progress: ProgressSink,
    ) -> Job:
        """Store the job of a request, and submit it from this process."""
        request = self._mark_as_own(request)
        # Not None after a race: another process has stored a job with this key since the look-up.
        first = self._keys.add(request.job, arguments)
        if first is not None:
            return first
        return self._run(runner, request, on_progress=on_progress, lock=self._device_lock)

    def _mark_as_own(self, request: Request) -> Request:
        """Return a request whose job names this process, if that runs it.

        It is stored so at once: a check need not guess whether the job is about to run.
        """
        background = self._background
        if background is None or not background.runs_in_process(request.job.provider):
            return request
        return replace(request, job=replace(request.job, call_id=background.processes.current()))

    def _refuse(self, runner: Provider, request: Request, *, force: bool) -> None:
        """Raise if a request cannot work at its provider; unless forced, also if it does not fit.

        Raises:
            TioMagicError: nothing was stored.
        """
        runner.check(request)
        found = None if force else self.preflight.refuse_impossible(request)
        # Last, since it may wait for a network.
        find_answers(runner).ask_ahead(request)
        if found is not None and found.has_estimated_sizes:
            self.preflight.refuse_impossible(request)  # Their true sizes may be known now.

    def _with_estimate(self, request: Request) -> Request:
        """Return a request whose job says what it is expected to cost, unless it costs nothing."""
        estimate = self.preflight.estimate(request)
        if estimate is None or estimate.is_free or estimate.is_empty:
            return request
        facts = {**request.job.facts, ESTIMATE: estimate.to_dict()}
        return replace(request, job=replace(request.job, facts=facts))

    def plan(
        self,
        feature: Feature,
        *,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
        rerun: RerunCall | None = None,
    ) -> Request:
        """Validate a call and return what would be run. Nothing is stored, nothing runs.

        Raises:
            ValidationError, UnknownModelError, UnknownProviderError: as ``submit``.
            TioMagicError: when the provider knows beforehand that it cannot run it.
        """
        request = self._prepare_request(feature, provider, model, arguments, rerun)
        find_provider(self._providers, provider).check(request)
        return request

    def look_ahead(
        self,
        feature: Feature,
        *,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
        rerun: RerunCall | None = None,
        with_measured: bool = True,
    ) -> tuple[Request, Preflight]:
        """Validate a call and return what would be run and what it would take.

        A token that is not there is a check of the preflight, not an error: a plan needs none.

        Args:
            feature: As for ``plan``.
            provider: As for ``plan``.
            model: As for ``plan``.
            arguments: As for ``plan``.
            rerun: As for ``plan``.
            with_measured: True to look for measured runs among the stored jobs.

        Raises:
            TioMagicError: as ``plan``, but for a token that is not there.
        """
        request = self._prepare_request(feature, provider, model, arguments, rerun)
        runner, missing = find_provider(self._providers, provider), ""
        try:
            runner.check(request)
        except AuthenticationError as error:
            missing = error.message
        cost = find_answers(runner).describe(request).cost
        found = self.preflight.check_request(request, with_measured=with_measured, cost=cost)
        if missing and not any(check.part == TOKEN for check in found.problems):
            told = Check(part=TOKEN, outcome=CheckOutcome.PROBLEM, message=missing)
            found = replace(found, checks=(*found.checks, told))
        return request, found

    def _prepare_request(
        self,
        feature: Feature,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
        rerun: RerunCall | None,
    ) -> Request:
        """Return the plan of a valid call."""
        runner = find_provider(self._providers, provider)
        able = runner.capabilities()
        name, known = model or able.default_model, self._catalogue
        wanted = feature_to_serve(name, feature, arguments, catalogue=known)
        card = find_model(name, wanted, provider, runs=able.runs, catalogue=known)
        feature, arguments = loop_as_interpolation(
            feature, card, arguments, runs=able.runs, catalogue=known
        )
        return self._preparation.prepare(feature, card, provider, arguments, rerun=rerun)

    def _enqueue(self, request: Request, retry: int, arguments: Mapping[str, object]) -> Job:
        """Store a job for a worker, and ensure that there is one."""
        if self._background is None or self._supervisor is None:
            raise ConfigurationError(
                "these parts cannot run a job without its caller: they lack leases",
                code=ErrorCode.NO_BACKGROUND,
            )
        # Check now what the worker would fail on later.
        self._preparation.restore(request.job, request.card)
        queue = self._background.queue(request.job.provider)
        job = replace(request.job, queue=queue, retry=retry, message=WAITING_MESSAGE)
        first = self._keys.add(job, arguments)
        if first is not None:
            return first
        try:
            why = self._supervisor.ensure_worker(queue, job.job_id)
        except ConfigurationError as error:
            self._updater.fail(job, error)
            raise
        except KeyboardInterrupt as interrupt:
            # Its caller never gets the id, and so could not cancel it.
            self._ask_to_stop(job)
            interrupt.add_note(say_canceled(job.job_id))
            raise
        return self._store_waiting_reason(job, why)

    def rerun(  # noqa: PLR0913 - by keyword only, as ``submit``
        self,
        recipe: Mapping[str, Any],
        *,
        overrides: Mapping[str, object],
        provider: str | None = None,
        model: str | None = None,
        on_progress: ProgressSink = ignore_progress,
        detach: bool = False,
        retry: int = 0,
        tags: Sequence[str] = (),
        key: str | None = None,
        force: bool = False,
        preview: bool = False,
    ) -> Job:
        """Run a recipe again, with the same seed unless another is given.

        Args:
            recipe: ``feature``, ``model``, ``provider``, ``required_args``, ``optional_args`` and
                ``chosen``: a result of ``build_recipe``, or the same fields of a stored job.
            overrides: Arguments that replace those of the recipe; None removes one.
            provider: The provider's name; None for the recipe's.
            model: Another model than the recipe's. It gets the inputs, the seed and what the user
                chose, as far as it has them, and its own defaults for the rest; the job's fact
                ``changed_choices`` says what it did not take.
            on_progress: Gets each progress event while a blocking provider works.
            detach: As for ``submit``.
            retry: As for ``submit``.
            tags: As for ``submit``.
            key: As for ``submit``.
            force: As for ``submit``.
            preview: As for ``submit``.
        """
        feature = find_feature(str(recipe["feature"]))
        card = find_model(model or recipe["model"], feature, catalogue=self._catalogue)
        call = build_rerun_call(recipe, card, overrides, catalogue=self._catalogue)
        return self.submit(
            feature,
            provider=provider or str(recipe["provider"]),
            model=card.name,
            arguments=call.arguments,
            on_progress=on_progress,
            detach=detach,
            retry=retry,
            tags=tags,
            key=key,
            rerun=call,
            force=force,
            preview=preview,
        )
