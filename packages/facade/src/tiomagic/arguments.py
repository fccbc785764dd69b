"""What a call may be given, in the two ways that people write it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from tiomagic_domain.catalogue import find_feature
from tiomagic_domain.errors import Problem, ValidationError
from tiomagic_domain.jobs import JobQuery, JobStatus
from tiomagic_domain.suggestions import closest, shortened


def merged(required_args: object, plain: Mapping[str, object]) -> dict[str, object]:
    """Return the arguments of a call; what is None counts as left out.

    Args:
        required_args: The dict of tiomagic 1.0.0's calls.
        plain: Plain keywords.

    Raises:
        ValidationError: when ``required_args`` is no dict, or a name is given in both ways.
    """
    if required_args is None:
        required_args = {}
    if not isinstance(required_args, Mapping):
        problem = Problem(
            field="required_args",
            message=f"must be a dict of arguments, not {type(required_args).__name__}",
            given=shortened(required_args),
        )
        raise ValidationError.of([problem], subject="the call")
    first = {name: value for name, value in required_args.items() if value is not None}
    second = {name: value for name, value in plain.items() if value is not None}
    twice = [
        Problem(
            field=name,
            message="is given twice: in required_args and as a keyword; give it once",
            given=f"{shortened(first[name], 40)} and {shortened(second[name], 40)}",
        )
        for name in first
        if name in second
    ]
    if twice:
        raise ValidationError.of(twice, subject="the call")
    return {**first, **second}


def job_query(
    *,
    status: str | Iterable[str] | None,
    feature: str | None,
    since: datetime | str | None,
    until: datetime | str | None,
    **plain: Any,
) -> JobQuery:
    """Return the query that a person means.

    Args:
        status: A status or several.
        feature: A feature's name.
        since: A moment, or its ISO 8601 text; local time when it has no zone.
        until: The same.
        **plain: Fields of the query that are taken as they are.

    Raises:
        ValidationError: when there is no such status or feature, or a time is none.
    """
    words = [status] if isinstance(status, str) else status
    return JobQuery(
        status=None if words is None else frozenset(_status(word) for word in words),
        feature=None if feature is None else find_feature(feature),
        since=_moment("since", since),
        until=_moment("until", until),
        **plain,
    )


def _status(word: str) -> JobStatus:
    known = [status.value for status in JobStatus]
    if word in known:
        return JobStatus(word)
    nearest = closest(word, known)
    problem = Problem(
        field="status",
        message=f"must be one of {', '.join(known)}",
        given=shortened(word),
        nearest=nearest,
    )
    raise ValidationError.of([problem], subject="a query of jobs")


def _moment(field: str, given: datetime | str | None) -> datetime | None:
    try:
        moment = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        message = "must be a time such as 2026-11-22 or 2026-11-22T12:00:00Z"
        problem = Problem(field=field, message=message, given=shortened(given))
        raise ValidationError.of([problem], subject="a query of jobs") from error
    return None if moment is None else moment.astimezone()
