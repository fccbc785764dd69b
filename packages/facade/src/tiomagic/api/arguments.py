"""Parses the arguments of a call: flat keywords, or ``required_args`` and ``optional_args``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Self, TypedDict

from tiomagic.api.run_options import RunOptions
from tiomagic_domain.catalogue import find_feature
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.features import Feature
from tiomagic_domain.jobs.job import JobQuery, JobStatus
from tiomagic_domain.suggestions import closest, did_you_mean, list_names, shorten_repr

if TYPE_CHECKING:
    from tiomagic.types import FeatureName, ModelName, ProviderName, StatusName


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of a feature: its arguments, and how it runs."""

    feature: Feature
    model: str | None
    """None for the provider's default."""
    arguments: Mapping[str, object]
    """Inputs and settings by name; none of them is None."""
    options: RunOptions

    @classmethod
    def read(
        cls, feature: str, model: str | None, required_args: object, given: Mapping[str, object]
    ) -> Self:
        """Return the parsed call; None counts as left out.

        Args:
            feature: What is asked for.
            model: Which model.
            required_args: The dict of tiomagic 1.0.0's calls, which had the model in it as well.
            given: Plain keywords: inputs, settings and options.

        Raises:
            ValidationError: when there is no such feature, ``required_args`` is no dict, or a name
                is given in both ways.
        """
        options, plain = RunOptions.split(given)
        inputs = _inputs(required_args)
        named = inputs.pop("model", None)
        if model is not None and named not in (None, model):
            message = f"is {model!r} in the call and {named!r} in required_args; give it once"
            problem = Problem(field="model", message=message, given=shorten_repr(named, 40))
            raise ValidationError.of([problem], subject="the call")
        twice = [
            Problem(
                field=name,
                message="is given twice: in required_args and as a keyword; give it once",
                given=f"{shorten_repr(inputs[name], 40)} and {shorten_repr(plain[name], 40)}",
            )
            for name in inputs
            if plain.get(name) is not None
        ]
        if twice:
            raise ValidationError.of(twice, subject="the call")
        arguments = inputs | {name: value for name, value in plain.items() if value is not None}
        return cls(
            feature=find_feature(feature),
            model=named if model is None else model,
            arguments=arguments,
            options=options,
        )


def _inputs(required_args: object) -> dict[str, Any]:
    if required_args is None:
        return {}
    if not isinstance(required_args, Mapping):
        problem = Problem(
            field="required_args",
            message=f"must be a dict of arguments, not {type(required_args).__name__}",
            given=shorten_repr(required_args),
        )
        raise ValidationError.of([problem], subject="the call")
    return {name: value for name, value in required_args.items() if value is not None}


class JobFilters(TypedDict, total=False):
    """Filters for jobs; None or left out does not filter."""

    status: StatusName | JobStatus | Iterable[StatusName | JobStatus] | None
    """A status, or several."""
    feature: FeatureName | None
    """A feature's name."""
    model: ModelName | None
    """A model's name."""
    provider: ProviderName | None
    """A provider's name."""
    text: str | None
    """Words that must all occur in the prompt, in any order and case, as parts of words too."""
    tag: str | None
    """Must be among the job's tags, exactly."""
    since: datetime | str | None
    """Created then or later: datetime, ISO 8601 (local if without a zone), or 7d ago (h, d, w)."""
    until: datetime | str | None
    """Created before."""
    limit: int | None
    """At most so many; None for all."""
    after: str | None
    """The id of the last job of the page before."""


JOB_FILTER_NAMES: Final = tuple(JobFilters.__annotations__)


def build_job_query(filters: JobFilters, *, limit: int | None) -> JobQuery:
    """Return the query that a person means.

    Args:
        filters: What narrows.
        limit: How many unless the filters say otherwise.

    Raises:
        TypeError: when there is no such filter.
        ValidationError: when there is no such status or feature, or a time is none.
    """
    given: dict[str, Any] = {"limit": limit, **filters}
    unknown = sorted(given.keys() - JOB_FILTER_NAMES)
    if unknown:
        hint = did_you_mean(unknown[0], JOB_FILTER_NAMES)
        raise TypeError(
            f"there is no filter {unknown[0]!r}.{hint} Filters: {list_names(JOB_FILTER_NAMES)}"
        )
    status, feature = given.pop("status", None), given.pop("feature", None)
    words = [status] if isinstance(status, str) else status
    return JobQuery(
        status=None if words is None else frozenset(_status(word) for word in words),
        feature=None if feature is None else find_feature(feature),
        since=parse_moment("since", given.pop("since", None)),
        until=parse_moment("until", given.pop("until", None)),
        **given,
    )


def _status(word: str) -> JobStatus:
    known = [status.value for status in JobStatus]
    if word in known:
        return JobStatus(word)
    nearest = closest(word, known)
    problem = Problem(
        field="status",
        message=f"must be one of {', '.join(known)}",
        given=shorten_repr(word),
        nearest=nearest,
    )
    raise ValidationError.of([problem], subject="a query of jobs")


_AGO: Final = re.compile(r"(\d{1,4}) *([hdw])")
_UNITS: Final = {"h": "hours", "d": "days", "w": "weeks"}


def parse_moment(field: str, given: datetime | str | None) -> datetime | None:
    """Return a time, also one that is so many hours, days or weeks ago: 36h, 7d, 2w.

    Args:
        field: The filter's name.
        given: The time; None for none.

    Raises:
        ValidationError: when it is no time.
    """
    if isinstance(given, str) and (ago := _AGO.fullmatch(given.strip())):
        return datetime.now(UTC) - timedelta(**{_UNITS[ago[2]]: int(ago[1])})
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        message = "must be a time such as 2026-11-22, 2026-11-22T12:00:00Z, or 7d for a week ago"
        problem = Problem(field=field, message=message, given=shorten_repr(given))
        raise ValidationError.of([problem], subject="a query of jobs") from error
    return None if moment is None else moment.astimezone()
