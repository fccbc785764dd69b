"""Use cases that submit jobs: submit and rerun.

The main rule: a job is stored before its provider is called, its id is the idempotency key, and a
submission with an unknown result is looked up, never repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Unpack

from tiomagic_domain.catalogue import ModelCard, find_feature, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.jobs.tags import validate_tags
from tiomagic_domain.lifecycle.finishing import VideoFinisher, keep_as_it_is
from tiomagic_domain.lifecycle.job_updater import ignore_change, ignore_trouble
from tiomagic_domain.money.estimate import ESTIMATE, read_estimate
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import CountOperations, count_nothing
from tiomagic_domain.ports.mask_reader import MaskReader
from tiomagic_domain.ports.media_reader import MediaReader
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Provider, Request, find_answers
from tiomagic_domain.ports.video_joiner import VideoJoiner
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.requests.rerun import RerunCall, build_rerun_call
from tiomagic_domain.spending.fallback import PASSED_OVER, PassedOver, try_in_order
from tiomagic_domain.spending.limits import (
    LimitsThatHold,
    require_affordable,
    set_no_limits,
    with_ways_out,
)
from tiomagic_domain.usecases.consent import AcceptedTerms, accept_nothing, require_consent
from tiomagic_domain.usecases.idempotency import IdempotencyKeys, validate_key
from tiomagic_domain.usecases.interruptions import say_canceled
from tiomagic_domain.usecases.planning import JobPlans
from tiomagic_domain.usecases.submission import Submission, SubmissionOptions
from tiomagic_domain.usecases.tracking import find_provider, require_provider
from tiomagic_domain.workers import Background, DeviceLock
from tiomagic_domain.workers.waiting_reasons import WAITING_MESSAGE

__all__ = ["Generation"]


class Generation(JobPlans):
    """All use cases on jobs: those of ``JobPlans``, and submitting them.

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
        limits: Of what runs may cost; none when left out.
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
        limits: LimitsThatHold = set_no_limits,
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
            accepted=accepted,
            count_operations=count_operations,
            limits=limits,
        )
        self._keys = IdempotencyKeys(repository, self._updater)
        self._device_lock = DeviceLock(background, repository, on_trouble) if background else None
        self._accepted = accepted

    def submit(
        self,
        feature: Feature,
        *,
        provider: str | Sequence[str],
        model: str | None,
        arguments: Mapping[str, object],
        rerun: RerunCall | None = None,
        **options: Unpack[SubmissionOptions],
    ) -> Job:
        """Validate a call, store its job, and submit it to the provider.

        Args:
            feature: What is asked for.
            provider: Who is to run it; of several names the first that can, see
                :mod:`tiomagic_domain.spending.fallback`.
            model: Which model; None for the provider's default.
            arguments: Inputs and settings by name.
            rerun: The repeated call that the arguments are of; None for a call of the user.
            **options: See :class:`~tiomagic_domain.usecases.submission.SubmissionOptions`.

        Returns:
            The stored job. It is over if the provider is blocking and ``detach`` is False; a job
            that was found by its key is returned unchanged.

        Raises:
            ValidationError, UnknownModelError, UnknownProviderError: nothing was stored. With the
                code ``key_reused`` when the key belongs to another call.
            ConfigurationError: nothing was stored. ``does_not_fit``: it cannot work at the
                provider. ``terms_not_accepted``, forced or not: its model waits for a consent.
                ``over_budget``, forced or not: it may cost more than a limit allows.
                ``all_passed_over``: none of several providers can run it.
            TioMagicError: it could not be run. The job, ``job_id`` in the details, is ``failed``.
        """
        options["tags"] = validate_tags(options.get("tags", ()))
        options["key"] = validate_key(options.get("key"))
        call = Submission(
            feature=feature,
            model=model,
            arguments=arguments,
            rerun=rerun,
            limits=self._limits()
            .of_call(options.get("max_cost"))
            .within(options.get("budgets", ())),
            **options,
        )
        names = self._list_providers(provider, call.key)
        for attempt in try_in_order(names, lambda one: self._release_key(one, call)):
            with attempt:
                return self._submit_to(attempt.provider, call, attempt.passed)
        raise AssertionError("the last turn returns or raises")

    def _list_providers(self, given: str | Sequence[str], key: str | None) -> Sequence[str]:
        """Return the names of the providers of a call: one, if a job has its key already.

        Raises:
            UnknownProviderError: when there is none of a name.
        """
        names = list(dict.fromkeys([given] if isinstance(given, str) else given))
        for name in names if len(names) > 1 else ():
            require_provider(self._providers, name)
        known = self._keys.find_provider(key) if len(names) > 1 else None
        return [known] if known in names else names

    def _release_key(self, passed: PassedOver, call: Submission) -> None:
        """Take a call's key from a job that failed before it was sent: the next one gets it."""
        if passed.job_id is not None and call.key is not None:
            self._keys.release(passed.job_id)

    def _submit_to(self, provider: str, call: Submission, passed: Sequence[PassedOver]) -> Job:
        """Validate a call for one provider, store its job, and submit it."""
        runner = find_provider(self._providers, provider)
        request = self._prepare_request(
            call.feature, provider, call.model, call.arguments, call.rerun
        )
        facts = {PASSED_OVER: [one.to_dict() for one in passed]} if passed else {}
        job = replace(
            request.job,
            job_id=call.job_id if call.job_id and not passed else request.job.job_id,
            payer=call.payer,
            tags=tuple(call.tags),
            idempotency_key=call.key,
            facts={**request.job.facts, **facts},
        )
        request = replace(request, job=job)
        # Before the checks: a repeated call gets its job even if it would be refused now.
        known = self._keys.find(request.job, call.arguments)
        if known is not None:
            return self._send_left(runner, request, known)
        require_consent(request.card, {*self._accepted(), *call.accepted})
        self._refuse(runner, request, force=call.force)
        request = self._with_estimate(request, call)
        if call.preview:
            self.preview(request.job)
        if call.detach and runner.capabilities().blocking:
            return self._enqueue(request, call)
        # A provider with workers of its own reads from the job how often it may run again.
        request = replace(request, job=replace(request.job, retry=call.retry))
        request = self._mark_as_own(runner, request)
        # Not None after a race: another process has stored a job with this key since the look-up.
        first = self._add(request, call)
        if first is not None:
            return first
        return self._run(runner, request, on_progress=call.on_progress, lock=self._device_lock)

    def _send_left(self, runner: Provider, request: Request, known: Job) -> Job:
        """Return the stored job of a repeated call; one that was left unsent is sent first.

        Raises:
            TioMagicError: it could not be run; it is stored as failed.
        """
        known, is_ours = self._senders.take(known)
        return self._run(runner, replace(request, job=known)) if is_ours else known

    def _add(self, request: Request, call: Submission) -> Job | None:
        """Store the job of a request within the budgets; return the one that has its key instead.

        Raises:
            ConfigurationError: with the code ``over_budget``, and with what would fit.
        """
        try:
            return self._keys.add(request.job, call.arguments, call.limits.budgets, call.rate)
        except ConfigurationError as error:
            if error.code != ErrorCode.OVER_BUDGET:
                raise
            refused = with_ways_out(
                error, request, read_estimate(request.job.facts), self._cheaper.find
            )
        raise refused

    def _mark_as_own(self, runner: Provider, request: Request) -> Request:
        """Return a request whose job names this process, which runs it or sends it.

        It is stored so at once: a check need not guess whether the job is about to run.
        """
        background = self._background
        if not runner.capabilities().blocking:
            return replace(request, job=self._senders.mark(request.job))
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

    def _with_estimate(self, request: Request, call: Submission) -> Request:
        """Return a request whose job says what it is expected to cost, unless it costs nothing.

        Raises:
            ConfigurationError: with the code ``over_budget``, when that is above its limit.
        """
        estimate = self.preflight.estimate(request)
        require_affordable(request, estimate, call.limits, self._cheaper.find)
        if estimate is None or estimate.is_free or estimate.is_empty:
            return request
        facts = {**request.job.facts, ESTIMATE: estimate.to_dict()}
        return replace(request, job=replace(request.job, facts=facts))

    def _enqueue(self, request: Request, call: Submission) -> Job:
        """Store a job for a worker, and ensure that there is one."""
        if self._background is None or self._supervisor is None:
            raise ConfigurationError(
                "these parts cannot run a job without its caller: they lack leases",
                code=ErrorCode.NO_BACKGROUND,
            )
        # Check now what the worker would fail on later.
        self._preparation.restore(request.job, request.card)
        queue = self._background.queue(request.job.provider)
        job = replace(request.job, queue=queue, retry=call.retry, message=WAITING_MESSAGE)
        first = self._add(replace(request, job=job), call)
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

    def rerun(
        self,
        recipe: Mapping[str, Any],
        *,
        overrides: Mapping[str, object],
        provider: str | Sequence[str] | None = None,
        model: str | None = None,
        **options: Unpack[SubmissionOptions],
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
            **options: See :class:`~tiomagic_domain.usecases.submission.SubmissionOptions`.
        """
        feature = find_feature(str(recipe["feature"]))
        card = find_model(model or recipe["model"], feature, catalogue=self._catalogue)
        call = build_rerun_call(recipe, card, overrides, catalogue=self._catalogue)
        return self.submit(
            feature,
            provider=provider or str(recipe["provider"]),
            model=card.name,
            arguments=call.arguments,
            rerun=call,
            **options,
        )
