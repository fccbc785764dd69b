"""Preflight: what a run would take, and what cannot work, before anything is stored or fetched."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from tiomagic_domain.advice import NextStep
from tiomagic_domain.catalogue import ModelCard, models
from tiomagic_domain.catalogue.pose_parameters import FINDS_POSES
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, ProcessingError, TioMagicError
from tiomagic_domain.features import Feature
from tiomagic_domain.lifecycle.job_updater import ignore_trouble
from tiomagic_domain.money.cost import Cost
from tiomagic_domain.money.estimate import Estimate
from tiomagic_domain.ports.job_repository import JobRepository
from tiomagic_domain.ports.known_runs import CountOperations, count_nothing
from tiomagic_domain.ports.preflight import RunConditions, RunTime
from tiomagic_domain.ports.provider import Provider, Request, find_answers
from tiomagic_domain.ports.rehearsal import Check, CheckOutcome
from tiomagic_domain.preflight.judgement import (
    DISK,
    TERMS,
    TIME,
    choose_plan,
    find_verdict,
    judge,
)
from tiomagic_domain.preflight.preflight import (
    Alternative,
    AlternativeKind,
    FitVerdict,
    Preflight,
)
from tiomagic_domain.quantities import describe_rough_bytes
from tiomagic_domain.schema.kinds import UNSET
from tiomagic_domain.schema.nested_media import argument_of
from tiomagic_domain.usecases.consent import AcceptedTerms, accept_nothing, is_accepted
from tiomagic_domain.usecases.estimates import RunEstimates, utc_now

WORKS: Final = frozenset({FitVerdict.FITS, FitVerdict.UNKNOWN})
"""The verdicts of a provider that is worth naming in place of another one."""


class PreflightChecks:
    """Says what a run would take, and refuses what cannot work.

    Args:
        providers: By name; a lazy mapping may build them on demand.
        repository: With the measured runs; None where none are looked for.
        catalogue: The available models; all known ones when left out.
        on_trouble: Called with errors that stop nothing.
        accepted: Names of the models whose terms are accepted.
        now: The time.
        count_operations: Counts the work of a run, for its time where none was measured.
    """

    def __init__(
        self,
        providers: Mapping[str, Provider],
        repository: JobRepository | None = None,
        *,
        catalogue: Mapping[str, ModelCard] | None = None,
        on_trouble: Callable[[TioMagicError], None] = ignore_trouble,
        accepted: AcceptedTerms = accept_nothing,
        now: Callable[[], datetime] = utc_now,
        count_operations: CountOperations = count_nothing,
    ) -> None:
        self._providers = providers
        self._accepted = accepted
        self._catalogue = catalogue
        self._on_trouble = on_trouble
        self._estimates = RunEstimates(
            repository, on_trouble=on_trouble, now=now, count_operations=count_operations
        )

    def check_model(
        self,
        card: ModelCard,
        provider: str,
        settings: Mapping[str, Any] | None = None,
        *,
        with_measured: bool = False,
        cost: Cost | None = None,
        request: Request | None = None,
    ) -> Preflight:
        """Return what a run of a model would take. Makes no request.

        Args:
            card: The model.
            provider: The provider's name.
            settings: Of the run; what is left out has the model's own defaults.
            with_measured: True to look for measured runs among the stored jobs.
            cost: What it costs, where the provider has said so.
            request: The call, for which an estimate is made; None for no estimate.

        Raises:
            TioMagicError: when there is no such provider, or it cannot be built.
        """
        runner = self._providers[provider]
        known = _with_defaults(card, settings, None if request is None else request.feature)
        conditions = self._ask(runner, card, known)
        past = self._estimates.find_runs(card, provider) if with_measured else ()
        time = self._estimates.measure(card, known, past, conditions.device) or conditions.time
        estimate = None
        if request is not None:
            estimate = self._estimates.ask(runner, request, known, past=past, time=time)
            time = _time_of(estimate, time)
        accepted = is_accepted(card, self._accepted())
        checks = (*judge(card, conditions, time), *([] if accepted else [_unaccepted(card)]))
        return Preflight(
            card=card,
            provider=provider,
            conditions=conditions,
            fit=find_verdict(card, conditions, time, checks),
            plan=choose_plan(conditions),
            checks=checks,
            time=time,
            cost=cost,
            estimate=estimate,
            is_accepted=accepted,
        )

    def estimate(self, request: Request) -> Estimate | None:
        """Return what a request is expected to take and to cost; None if its provider fails to say.

        Of a run that costs nothing no measured runs are looked for.

        Raises:
            TioMagicError: when the provider cannot be built.
        """
        runner, provider = self._providers[request.job.provider], request.job.provider
        known = _with_defaults(request.card, request.settings, request.feature)
        bare = self._estimates.ask(runner, request, known)
        if bare is None or bare.is_free:
            return bare
        conditions = self._ask(runner, request.card, known)
        past = self._estimates.find_runs(request.card, provider)
        time = self._estimates.measure(request.card, known, past, conditions.device)
        time = time or conditions.time
        return self._estimates.ask(runner, request, known, past=past, time=time)

    def check_request(
        self, request: Request, *, with_measured: bool = True, cost: Cost | None = None
    ) -> Preflight:
        """Return what a request would take; with alternatives if it cannot work.

        Raises:
            TioMagicError: when the provider cannot be built.
        """
        needs = {FINDS_POSES: True} if request.card.finds_poses(request.job.arguments) else {}
        found = self.check_model(
            request.card,
            request.job.provider,
            {**request.settings, **needs},
            with_measured=with_measured,
            cost=cost,
            request=request,
        )
        if found.fit is not FitVerdict.NO:
            return found
        return replace(found, alternatives=tuple(self._alternatives(found, request)))

    def check_models(
        self,
        cards: Iterable[ModelCard],
        provider: str,
        settings: Mapping[str, Any] | None = None,
    ) -> dict[str, Preflight]:
        """Return what a run of each model would take with some settings, or its defaults, by name.

        Quick enough for a list of all models: it makes no request and reads no stored job.

        Raises:
            TioMagicError: when there is no such provider, or it cannot be built.
        """
        return {card.name: self.check_model(card, provider, settings) for card in cards}

    def refuse_impossible(self, request: Request) -> Preflight:
        """Return what a request would take; raise if it cannot work, with what would.

        Terms that are not accepted are not among the reasons: who submits asks for them before,
        and a consent may be for one call.

        Raises:
            ConfigurationError: with the code ``does_not_fit``, and the preflight in its details.
        """
        found = _without_terms(self.check_request(request, with_measured=False))
        if {check.part for check in found.problems} == {TIME}:
            # Measured runs may know better than an estimate.
            found = _without_terms(self.check_request(request))
        if not found.can_run:
            raise ConfigurationError(
                explain_refusal(found),
                details={"preflight": found.to_dict()},
                code=ErrorCode.DOES_NOT_FIT,
            )
        return found

    def _ask(self, runner: Provider, card: ModelCard, settings: Mapping[str, Any]) -> RunConditions:
        """Return a provider's conditions; nothing known if it fails, which stops no run."""
        try:
            return find_answers(runner).preflight(card, settings)
        except TioMagicError as error:
            self._on_trouble(error)
        except Exception as error:  # noqa: BLE001 - it may be another distribution's code
            what = f"{runner.name} could not look ahead: {type(error).__name__}: {error}"
            self._on_trouble(ProcessingError(what, code=ErrorCode.MALFORMED_ANSWER))
        return RunConditions()

    def other_providers(self, request: Request) -> Iterator[Alternative]:
        """Yield the other providers that can run a request."""
        yield from self._other_providers(request.card, request.job.provider)

    def _alternatives(self, found: Preflight, request: Request) -> Iterator[Alternative]:
        yield from self._other_providers(found.card, found.provider)
        model = self._largest_that_fits(found, request)
        if model is not None:
            yield Alternative(kind=AlternativeKind.MODEL, name=model)

    def _other_providers(self, card: ModelCard, provider: str) -> Iterator[Alternative]:
        for name in self._providers:
            if name == provider:
                continue
            try:
                if not self._providers[name].capabilities().runs(card):
                    continue
                other = self.check_model(card, name)
            except TioMagicError as error:
                # One that is not installed or broken is no way out; `doctor` names it.
                self._on_trouble(error)
                continue
            if other.fit in WORKS:
                missing = [
                    token.service
                    for token in other.conditions.tokens
                    if token.is_needed and token.is_there is False
                ]
                note = f"which needs a token of {missing[0]}" if missing else ""
                yield Alternative(kind=AlternativeKind.PROVIDER, name=name, note=note)

    def _largest_that_fits(self, found: Preflight, request: Request) -> str | None:
        """Return the largest smaller model that takes a call's inputs and fits at its provider."""
        known = models() if self._catalogue is None else self._catalogue
        runs = self._providers[found.provider].capabilities().runs
        given = {argument_of(name) for name in request.media}
        smaller = sorted(
            (
                card
                for card in known.values()
                if request.feature in card.features
                and given <= {one.name for one in card.schema(request.feature).parameters}
                and card.weights_gib < found.card.weights_gib
                and runs(card)
            ),
            key=lambda card: (-card.weights_gib, card.name),
        )
        for card in smaller:
            one = self.check_model(card, found.provider)
            if one.fit is FitVerdict.FITS and one.is_accepted:
                return card.name
        return None


def _without_terms(found: Preflight) -> Preflight:
    checks = tuple(check for check in found.checks if check.part != TERMS)
    return replace(found, checks=checks, is_accepted=True)


def _unaccepted(card: ModelCard) -> Check:
    steps = NextStep.ACCEPT_TERMS.say(model=card.name)
    text = f"its terms are not accepted: read them, and {steps}"
    return Check(part=TERMS, outcome=CheckOutcome.PROBLEM, message=text)


def explain_refusal(found: Preflight) -> str:
    """Return why a run cannot work, and what would, for people."""
    place = found.conditions.place or found.provider
    text = f"{found.card.name} cannot run on {place}:"
    text += _listed([check.message for check in found.problems])
    weights = found.conditions.weights
    if weights is not None and weights.fetch_bytes and all(c.part != DISK for c in found.problems):
        about = "" if weights.is_exact else "about "
        size = describe_rough_bytes(weights.fetch_bytes)
        text += f"\nNothing was downloaded; it would be {about}{size}."
    ways = list_ways_out(found)
    return f"{text}\nWhat you can do:{_listed(ways)}" if ways else text


def _listed(lines: Sequence[str]) -> str:
    """Return one line behind a colon, or several below it."""
    return f" {lines[0]}" if len(lines) == 1 else "".join(f"\n  - {line}" for line in lines)


def list_ways_out(found: Preflight) -> list[str]:
    """Return what a person can do in place of a run that cannot work; to force it comes last."""
    steps = []
    for way in found.alternatives:
        step = NextStep.USE_PROVIDER if way.kind is AlternativeKind.PROVIDER else NextStep.USE_MODEL
        words = step.say(provider=way.name, model=way.name)
        steps.append(f"{words}, {way.note}" if way.note else words)
    return [*steps, NextStep.FORCE.say()] if found.fit is FitVerdict.NO else steps


def _with_defaults(
    card: ModelCard, settings: Mapping[str, Any] | None, feature: Feature | None
) -> dict[str, Any]:
    """Return settings with the defaults of a feature, the model's first one if none is named."""
    schema = card.schema(feature or next(iter(card.features)))
    defaults = {
        parameter.name: parameter.default
        for parameter in schema.parameters
        if parameter.default is not UNSET and parameter.default is not None
    }
    given = {name: value for name, value in (settings or {}).items() if value is not None}
    return {**defaults, **given}


def _time_of(estimate: Estimate | None, time: RunTime | None) -> RunTime | None:
    """Return the time of an estimate, so that a plan has one figure; else the one that is known."""
    if estimate is None or estimate.seconds is None:
        return time
    if time is None:
        # Its first part is about the time, where a provider has a time of its own.
        return RunTime(seconds=estimate.seconds, basis=estimate.basis.partition(";")[0])
    return replace(time, seconds=estimate.seconds)
