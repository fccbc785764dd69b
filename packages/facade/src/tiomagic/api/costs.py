"""What stored jobs have cost, and how much of the budgets is taken (``tm.costs``)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tiomagic.api.arguments import parse_moment
from tiomagic_domain.codes import ErrorCode
from tiomagic_domain.errors import ConfigurationError, Problem, ValidationError
from tiomagic_domain.money.sums import CostGroup, CostQuery
from tiomagic_domain.ports.cost_keeping import KeepsCosts
from tiomagic_domain.suggestions import closest, shorten_repr

if TYPE_CHECKING:
    from tiomagic.wiring.session import Session


def sum_costs(session: Session, by: str, filters: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the rows of costs; see :meth:`tiomagic.TioMagic.costs`."""
    query = CostQuery(
        by=_parse_group(by),
        since=parse_moment("since", filters["since"]),
        until=parse_moment("until", filters["until"]),
        model=filters["model"],
        provider=filters["provider"],
        tag=filters["tag"],
    )
    rows = (one.to_dict() for one in _repository(session).sum_costs(query))
    return [{by: row.pop("group"), **row} for row in rows]


def describe_budgets(session: Session) -> list[str]:
    """Return a line for each budget that is set: what is taken of it now."""
    repository, at = _repository(session), session.clock.now()
    lines = []
    for budget in session.cost_limits.budgets:
        taken = repository.sum_taken(budget, at)
        lines.append(f"{budget.setting} {budget.limit}: {taken} are spent or expected (UTC)")
    return lines


def _repository(session: Session) -> KeepsCosts:
    repository = session.container.repository()
    if not isinstance(repository, KeepsCosts):
        raise ConfigurationError("this job store does not sum costs", code=ErrorCode.NO_BUDGETS)
    return repository


def _parse_group(word: object) -> CostGroup:
    known = [group.value for group in CostGroup]
    if word in known:
        return CostGroup(word)
    problem = Problem(
        field="by",
        message=f"must be one of {', '.join(known)}",
        given=shorten_repr(word),
        nearest=closest(str(word), known),
    )
    raise ValidationError.of([problem], subject="the costs of jobs")
