"""Use cases that look at a call before it runs: plan and look ahead. Nothing is stored."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from tiomagic_domain.catalogue import ModelCard, find_model
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import (
    AuthenticationError,
    ConfigurationError,
    TioMagicError,
    ValidationError,
)
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import Job
from tiomagic_domain.lifecycle.finishing import Finish
from tiomagic_domain.ports.clock import Clock
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import CountOperations
from tiomagic_domain.ports.output_store import OutputStore
from tiomagic_domain.ports.provider import Provider, Request, find_answers
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.preflight.judgement import COST, TOKEN
from tiomagic_domain.preflight.preflight import Preflight
from tiomagic_domain.requests.continuing import feature_to_serve, loop_as_interpolation
from tiomagic_domain.requests.preparation import Preparation
from tiomagic_domain.requests.rerun import RerunCall
from tiomagic_domain.spending.cheaper_calls import CheaperCalls
from tiomagic_domain.spending.fallback import PassedOver, cut_not_run, ignore_passed, try_in_order
from tiomagic_domain.spending.limits import CostLimits, LimitsThatHold, find_refusal
from tiomagic_domain.usecases.consent import AcceptedTerms
from tiomagic_domain.usecases.preflight import PreflightChecks
from tiomagic_domain.usecases.running import JobRuns
from tiomagic_domain.usecases.tracking import find_provider
from tiomagic_domain.workers import Background


class JobPlans(JobRuns):
    """The use cases of ``JobRuns``, and those that plan a call.

    Attributes:
        preflight: Says what a run would take; ``submit`` refuses with it what cannot work.

    Args:
        providers: The providers by name.
        repository: Where jobs are kept.
        outputs: Where finished videos go.
        clock: The time.
        preparation: Turns arguments into requests.
        on_change: Called with every stored change of a job, except steps within a phase.
        on_trouble: Called with errors that do not stop a run.
        catalogue: The available models; all known ones when None.
        background: The parts of background jobs; None without them.
        finish: What becomes of a provider's video before it is saved.
        accepted: Names of the models whose terms are accepted.
        count_operations: Counts the work of a run, for its time where none was measured.
        limits: Of what runs may cost.
    """

    def __init__(  # noqa: PLR0913 - by keyword only, one for each part
        self,
        *,
        providers: Mapping[str, Provider],
        repository: JobRepository,
        outputs: OutputStore,
        clock: Clock,
        preparation: Preparation,
        on_change: Callable[[Job], None],
        on_trouble: Callable[[TioMagicError], None],
        catalogue: Mapping[str, ModelCard] | None,
        background: Background | None,
        finish: Finish,
        accepted: AcceptedTerms,
        count_operations: CountOperations,
        limits: LimitsThatHold,
    ) -> None:
        super().__init__(
            providers=providers,
            repository=repository,
            outputs=outputs,
            clock=clock,
            preparation=preparation,
            on_change=on_change,
            on_trouble=on_trouble,
            catalogue=catalogue,
            background=background,
            finish=finish,
        )
        self.preflight: PreflightChecks = PreflightChecks(
            providers,
            repository,
            catalogue=catalogue,
            on_trouble=on_trouble,
            accepted=accepted,
            now=clock.now,
            count_operations=count_operations,
        )
        self._limits = limits
        self._cheaper = CheaperCalls(self.preflight.estimate, self.preflight.other_providers)

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
        provider: str | Sequence[str],
        model: str | None,
        arguments: Mapping[str, object],
        rerun: RerunCall | None = None,
        with_measured: bool = True,
        max_cost: object = None,
        on_passed: Callable[[PassedOver], None] = ignore_passed,
    ) -> tuple[Request, Preflight]:
        """Validate a call and return what would be run and what it would take.

        A token that is not there is a check of the preflight, not an error: a plan needs none.

        Args:
            feature: As for ``plan``.
            provider: Of several names the first that can run it is planned, or else the last that
                makes a plan.
            model: As for ``plan``.
            arguments: As for ``plan``.
            rerun: As for ``plan``.
            with_measured: True to look for measured runs among the stored jobs.
            max_cost: As for ``submit``; a run above a limit has a check that says so.
            on_passed: Called with each provider that is passed over.

        Raises:
            TioMagicError: as ``plan``, but for a token that is not there.
        """
        limits = self._limits().of_call(max_cost)
        names = [provider] if isinstance(provider, str) else list(dict.fromkeys(provider))

        for attempt in try_in_order(names, on_passed):
            with attempt:
                request, found = self._look_at(
                    feature,
                    provider=attempt.provider,
                    model=model,
                    arguments=arguments,
                    rerun=rerun,
                    with_measured=with_measured,
                    limits=limits,
                )
                if not found.can_run and attempt.provider != names[-1]:
                    # As a submission would be refused there, with the same words.
                    raise ConfigurationError(found.problems[0].message, code=ErrorCode.DOES_NOT_FIT)
                return request, found
        raise AssertionError("the last turn returns or raises")

    def _look_at(
        self,
        feature: Feature,
        *,
        provider: str,
        model: str | None,
        arguments: Mapping[str, object],
        rerun: RerunCall | None,
        with_measured: bool,
        limits: CostLimits,
    ) -> tuple[Request, Preflight]:
        request = self._prepare_request(feature, provider, model, arguments, rerun)
        runner, missing = find_provider(self._providers, provider), ""
        try:
            runner.check(request)
        except AuthenticationError as error:
            missing = error.message
        cost = find_answers(runner).describe(request).cost
        found = self.preflight.check_request(request, with_measured=with_measured, cost=cost)
        return request, self._add_refusals(request, found, missing, limits)

    def check_form(
        self, request: Request, found: Preflight, *, max_cost: object = None
    ) -> Preflight:
        """Return the preflight of a call that is being filled in, with what else would refuse it.

        Args:
            request: Without the inputs that are not there yet; nothing is said about them.
            found: Its preflight.
            max_cost: As for ``submit``.

        Raises:
            ValidationError: when ``max_cost`` is no amount.
        """
        limits, missing = self._limits().of_call(max_cost), ""
        try:
            find_provider(self._providers, request.job.provider).check(request)
        except ValidationError:
            pass  # Of an input that may not be there yet: a submission reports it.
        except (AuthenticationError, ConfigurationError) as error:
            missing = error.message
        return self._add_refusals(request, found, missing, limits)

    def _add_refusals(
        self, request: Request, found: Preflight, missing: str, limits: CostLimits
    ) -> Preflight:
        """Return a preflight with a token that is missing, and a limit that the run may pass."""
        if missing and not any(check.part == TOKEN for check in found.problems):
            told = Check(part=TOKEN, outcome=CheckOutcome.PROBLEM, message=missing)
            found = replace(found, checks=(*found.checks, told))
        refused = find_refusal(
            request, found.estimate, limits, self._repository, self._cheaper.find
        )
        if refused is None:
            return found
        why = cut_not_run(refused.message, request.job.provider)
        said = Check(part=COST, outcome=CheckOutcome.PROBLEM, message=why)
        return replace(found, checks=(*found.checks, said))

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
        name, known = model or able.find_default(feature), self._catalogue
        wanted = feature_to_serve(name, feature, arguments, catalogue=known)
        card = find_model(name, wanted, provider, runs=able.runs, catalogue=known)
        feature, arguments = loop_as_interpolation(
            feature, card, arguments, runs=able.runs, catalogue=known
        )
        return self._preparation.prepare(feature, card, provider, arguments, rerun=rerun)
